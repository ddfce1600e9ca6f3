/** Pass: simplifies the scalar expressions inside nodes: map bodies, masks, scores, regions, rotations. */
import type { Expr } from "../ir/expr.ts";
import { compactMap } from "../ir/graph-map.ts";
import type { AttentionCore, Node } from "../ir/graph.ts";
import { rewriteGraph, type RewriteRule } from "../ir/rewrite.ts";
import { simplifyExpr } from "../ir/simplify-expr.ts";
import type { GraphPass } from "./pass.ts";

/** The core with simpler expressions, or null when all are simple. Regions behind one that is always taken are kept: results count them. */
function simplerCore(node: AttentionCore): Pick<AttentionCore, "mask" | "score" | "regions"> | null {
  const mask = simplifyExpr(node.mask);
  const score = simplifyExpr(node.score);
  const regions = node.regions.map((region) => ({ ...region, when: simplifyExpr(region.when) }));
  const unchanged =
    mask === node.mask &&
    score === node.score &&
    regions.every(({ when }, n) => when === node.regions[n]!.when);
  return unchanged ? null : { mask, score, regions };
}

/** before: map {(%0 * 1.0) + 0.0} → after: map {%0} */
function simpler(node: Node): Node | null {
  switch (node.kind) {
    case "map": {
      const body = simplifyExpr(node.body);
      return body === node.body ? null : compactMap(node.operands, body, node, node.axes);
    }
    case "rotate": {
      const [position, angle, scale] = [node.position, node.angle, node.scale].map(simplifyExpr) as [
        Expr,
        Expr,
        Expr,
      ];
      const unchanged = position === node.position && angle === node.angle && scale === node.scale;
      return unchanged ? null : { ...node, position, angle, scale };
    }
    case "attention": {
      const core = simplerCore(node);
      return core === null ? null : { ...node, ...core };
    }
    case "attention-gradient": {
      const core = simplerCore(node);
      const scoreSlope = simplifyExpr(node.scoreSlope);
      const bufferGradients = node.bufferGradients.map(({ buffer, loads }) => ({
        buffer,
        loads: loads.map(({ indices, slope }) => ({
          indices: indices.map(simplifyExpr),
          slope: simplifyExpr(slope),
        })),
      }));
      const changed = bufferGradients.some(({ loads }, n) =>
        loads.some(({ indices, slope }, m) => {
          const before = node.bufferGradients[n]!.loads[m]!;
          return slope !== before.slope || indices.some((at, i) => at !== before.indices[i]);
        }),
      );
      if (core === null && scoreSlope === node.scoreSlope && !changed) return null;
      return { ...node, ...core, scoreSlope, bufferGradients };
    }
    default:
      // Kinds without expressions of their own.
      return null;
  }
}

const rules: readonly RewriteRule[] = [{ name: "simplify-expressions", apply: simpler }];

export const simplifyExpressions: GraphPass = {
  name: "simplify-expressions",
  purpose: "Fold constants and drop neutral operations inside nodes.",
  run: (graph) => rewriteGraph(graph, rules),
};
