/** Pass: simplifies the scalar expressions inside nodes: map bodies, masks, scores, weights, regions, rotations. */
import type { Expr } from "../ir/expr.ts";
import { compactMap } from "../ir/graph-map.ts";
import type { AttentionCore, Node, Region, Turn, WeightSlopes } from "../ir/graph.ts";
import { rewriteGraph, type RewriteRule } from "../ir/rewrite.ts";
import { simplifyExpr } from "../ir/simplify-expr.ts";
import { mapWeight } from "../ir/weight.ts";
import type { GraphPass } from "./pass.ts";

/** The core with simpler expressions, or null when all are simple. Regions behind one that is always taken are kept: results count them. */
function simplerCore(
  node: AttentionCore,
): Pick<AttentionCore, "mask" | "score" | "weight" | "sink" | "regions"> | null {
  const mask = simplifyExpr(node.mask);
  const score = simplifyExpr(node.score);
  const weight = node.weight === null ? null : mapWeight(node.weight, simplifyExpr);
  const sink = node.sink === null ? null : simplifyExpr(node.sink);
  const regions = node.regions.map(simplerRegion);
  const unchanged =
    mask === node.mask &&
    score === node.score &&
    weight === node.weight &&
    sink === node.sink &&
    regions.every((region, n) => region === node.regions[n]!);
  return unchanged ? null : { mask, score, weight, sink, regions };
}

function simplerRegion(region: Region): Region {
  const when = simplifyExpr(region.when);
  const turn = region.turn === null ? null : simplerTurn(region.turn);
  return when === region.when && turn === region.turn ? region : { ...region, when, turn };
}

function simplerTurn(turn: Turn): Turn {
  const [position, angle, scale] = [turn.position, turn.angle, turn.scale].map(simplifyExpr) as [
    Expr,
    Expr,
    Expr,
  ];
  const unchanged = position === turn.position && angle === turn.angle && scale === turn.scale;
  return unchanged ? turn : { ...turn, position, angle, scale };
}

function simplerSlopes(slopes: WeightSlopes): WeightSlopes {
  const simple = {
    row: simplifyExpr(slopes.row),
    block: simplifyExpr(slopes.block),
    factors: slopes.factors.map(simplifyExpr),
  };
  const unchanged =
    simple.row === slopes.row &&
    simple.block === slopes.block &&
    simple.factors.every((factor, n) => factor === slopes.factors[n]);
  return unchanged ? slopes : simple;
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
        loads: loads.map(({ indices, slope, part }) => ({
          indices: indices.map(simplifyExpr),
          slope: simplifyExpr(slope),
          part,
        })),
      }));
      const changed = bufferGradients.some(({ loads }, n) =>
        loads.some(({ indices, slope }, m) => {
          const before = node.bufferGradients[n]!.loads[m]!;
          return slope !== before.slope || indices.some((at, i) => at !== before.indices[i]);
        }),
      );
      const weightSlopes = node.weightSlopes === null ? null : simplerSlopes(node.weightSlopes);
      if (core === null && scoreSlope === node.scoreSlope && weightSlopes === node.weightSlopes && !changed)
        return null;
      return { ...node, ...core, scoreSlope, weightSlopes, bufferGradients };
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
