/** Pass: simplifies the scalar expressions inside nodes: map bodies, masks, scores, weights, regions, rotations. */
import type { Expr } from "../ir/expr.ts";
import { compactMap } from "../ir/graph-map.ts";
import type { Choice } from "../ir/graph-pairs.ts";
import type { AttentionCore, Node, PairCore, Region, Turn, WeightSlopes } from "../ir/graph.ts";
import { rewriteGraph, type RewriteRule } from "../ir/rewrite.ts";
import { simplifyExpr } from "../ir/simplify-expr.ts";
import { mapWeight } from "../ir/weight.ts";
import type { GraphPass } from "./pass.ts";

/** The core with simpler expressions, or null when all are simple. Regions behind one that is always taken are kept: results count them. */
function simplerPairs(node: PairCore): Pick<PairCore, "mask" | "regions"> | null {
  const mask = simplifyExpr(node.mask);
  const regions = node.regions.map(simplerRegion);
  const unchanged = mask === node.mask && regions.every((region, n) => region === node.regions[n]!);
  return unchanged ? null : { mask, regions };
}

/** The same of a node with a score. */
function simplerScored<N extends PairCore & { readonly score: Expr }>(
  node: N,
): Partial<Pick<N, "mask" | "regions" | "score">> | null {
  const pairs = simplerPairs(node);
  const score = simplifyExpr(node.score);
  return pairs === null && score === node.score ? null : { ...pairs, score };
}

function simplerCore(
  node: AttentionCore,
): Partial<Pick<AttentionCore, "mask" | "score" | "weight" | "sink" | "regions">> | null {
  const scored = simplerScored(node);
  const weight = node.weight === null ? null : mapWeight(node.weight, simplifyExpr);
  const sink = node.sink === null ? null : simplifyExpr(node.sink);
  return scored === null && weight === node.weight && sink === node.sink ? null : { ...scored, weight, sink };
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
    case "log-sum-exp": {
      const scored = simplerScored(node);
      return scored === null ? null : { ...node, ...scored };
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
    case "pair-reduce": {
      const pairs = simplerPairs(node);
      const body = simplifyExpr(node.body);
      const targets = node.targets.map(simplifyExpr);
      const same = body === node.body && targets.every((target, n) => target === node.targets[n]);
      return pairs === null && same ? null : { ...node, ...pairs, body, targets };
    }
    case "select": {
      const [body, where, always] = [node.body, node.where, node.always].map(simplifyExpr) as [
        Expr,
        Expr,
        Expr,
      ];
      const { choose } = node;
      const amount = choose.kind === "top" ? choose.count : choose.threshold;
      const simple = simplifyExpr(amount);
      if (body === node.body && where === node.where && always === node.always && simple === amount)
        return null;
      const chosen: Choice =
        choose.kind === "top" ? { kind: "top", count: simple } : { kind: "above", threshold: simple };
      return { ...node, body, where, always, choose: chosen };
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
