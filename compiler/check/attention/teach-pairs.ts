/**
 * What a softmax over keys diverges from one that teaches it, KL(p ‖ t) of each row, without a table of queries × keys.
 * With t = exp(I − L), I = f · query · key:
 *   Σ p log p − Σ p I + L,   Σ p I = f · query · (Σ p key)
 * is made of sums over a row, and its slopes are those of f · query · (Σ t key − Σ p key) with t and p fixed.
 */
import * as ir from "../../ir/expr.ts";
import { sameSize, sizeExpr } from "../../ir/graph-axes.ts";
import { attentionNode, axis, gatherNode, mapNode, reduceNode } from "../../ir/graph-build.ts";
import type { Node } from "../../ir/graph.ts";
import { conjuncts, freeIndices, readsOf } from "./expr-tools.ts";
import { foldPairs } from "./fold-pairs.ts";
import { nodeOf, type Making } from "./make-node.ts";
import { pairCore, pairView, rowNormaliser, type PairView } from "./pair-view.ts";
import type { SoftmaxTable } from "./tables.ts";

/** Tensor of a batch whose sum over a row divided by `count` is the mean over what is taught. */
export interface Divergence {
  readonly each: Node;
  readonly count: ir.Expr;
}

const [h, q, k] = [ir.index("h"), ir.index("q"), ir.index("k")];
/** The least real that is not subnormal in 32 bits: what is taught is never taken for nothing. */
export const least = ir.real(1.1754943508222875e-38);

/** A softmax over the keys of each row, read at its own pair. */
function softmaxOf(e: ir.Expr, { tables }: Making): SoftmaxTable | null {
  if (e.kind !== "load") return null;
  const table = tables.at(e.buffer);
  const own = e.indices[0] === h && e.indices[1] === q && e.indices[2] === k;
  return own && table.kind === "softmax" && table.block === null ? table : null;
}

/** f of an expression f · logit; null for any other. */
function multipleOfLogit(e: ir.Expr): ir.Expr | null {
  if (e === ir.logit) return ir.real(1);
  const closed = (part: ir.Expr): boolean =>
    !ir.someExpr(part, (inner) => inner === ir.logit) &&
    freeIndices(part).size === 0 &&
    readsOf(part).length === 0;
  if (e.kind !== "binary") return null;
  const [left, right] = [multipleOfLogit(e.left), multipleOfLogit(e.right)];
  if (e.op === "mul" && left !== null && closed(e.right)) return ir.mul(left, ir.toReal(e.right));
  if (e.op === "mul" && right !== null && closed(e.left)) return ir.mul(ir.toReal(e.left), right);
  if (e.op === "div" && left !== null && closed(e.right)) return ir.div(left, ir.toReal(e.right));
  return null;
}

/** Keys or values of every head, in place of every key-value head. */
function ofHeads(node: Node, { tables, at }: Making): Node {
  const [batch, rows, group, width] = node.axes as [Node["axes"][0], ...Node["axes"]];
  const heads = axis("h", tables.shape.heads);
  if (sameSize(group!.size, heads.size)) return node;
  const index = mapNode([], tables.groupOf(h), at, [heads]);
  const gathered = gatherNode(node, group!.name, index, at);
  return mapNode([gathered], ir.operand(0), at, [batch, rows!, heads, width!]);
}

/** Σ over keys of what the softmax weighs them · `value`, [b, t, h, e]; no gradient passes into the weights. */
function weighed(view: PairView, value: Node, making: Making): Node | null {
  const made = pairCore(view, view.exprs, making);
  if (made === null) return null;
  const { core, others } = made;
  const alike = core.regions.every(({ key }) => sameSize(key.axes[2]!.size, value.axes[2]!.size));
  const regions = alike
    ? core.regions
    : core.regions.map((region) => ({ ...region, key: ofHeads(region.key, making) }));
  const parts = { ...core, regions, value: alike ? value : ofHeads(value, making), score: others[0]! };
  return attentionNode({ ...parts, prepended: null, weightsFixed: true }, making.at);
}

/** KL(p ‖ t), [b, t, h]; undefined where they are not both softmaxes over keys, null after a refusal. */
export function pairDivergence(
  student: ir.Expr,
  teacher: ir.Expr,
  making: Making,
): Divergence | null | undefined {
  const { tables, refuse, at } = making;
  const [taught, from] = [softmaxOf(student, making), softmaxOf(teacher, making)];
  if (taught === null || from === null) return undefined;
  const known = new Set(conjuncts(from.guard));
  if (!conjuncts(taught.guard).every((part) => known.has(part)))
    return refuse("a softmax that is taught about keys that it leaves out");
  const own = pairView([taught.guard, taught.score], ir.bool(true), making);
  const other = pairView([from.guard, from.score], ir.bool(true), making);
  if (own === null || other === null) return null;
  const factor = multipleOfLogit(own.exprs[1]!);
  const [region] = own.regions;
  if (factor === null || own.regions.length !== 1 || region === undefined || region.turn !== null)
    return refuse("`teach` of a softmax of anything but a product of queries and keys");

  const overKeys = [{ name: "k", within: null }];
  const rowOf = (e: ir.Expr | null): Node | null =>
    e === null ? null : nodeOf(e, tables.ordered(["q", "h"]), making);
  const entropy = rowOf(
    foldPairs(
      "sum",
      ir.mul(teacher, ir.unary("log", ir.binary("max", teacher, least))),
      ir.bool(true),
      overKeys,
      making,
    ),
  );
  const meant = rowOf(foldPairs("sum", ir.mul(student, taught.score), ir.bool(true), overKeys, making));
  const total = rowOf(rowNormaliser(taught.guard, taught.score, ir.bool(true), making));
  const [mine, asked] = [weighed(own, region.key, making), weighed(other, region.key, making)];
  if (entropy === null || meant === null || total === null || mine === null || asked === null) return null;
  const { axes } = region.query;
  const dots = mapNode(
    [region.query, mine, asked],
    ir.mul(ir.operand(0), ir.sub(ir.operand(1), ir.operand(2))),
    at,
    axes,
  );
  const apart = reduceNode("sum", dots, [axes[3]!.name], at);
  // Σ t I is taken away once as a number and added once with its slopes. Rows without keys have a logarithm of −∞.
  const divergence = ir.add(
    ir.sub(ir.add(ir.operand(0), ir.operand(1)), ir.operand(2)),
    ir.mul(ir.toReal(factor), ir.operand(3)),
  );
  const empty = ir.lt(ir.operand(1), ir.real(-1e38));
  const each = mapNode(
    [entropy, total, meant, apart],
    ir.select(empty, ir.real(0), divergence),
    at,
    apart.axes,
  );
  const count = ["q", "k", "h"].reduce<ir.Expr>(
    (all, name) => ir.mul(all, sizeExpr(tables.size(name))),
    ir.int(1),
  );
  return { each, count };
}
