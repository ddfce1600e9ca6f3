/** What must hold of nodes over pairs of a query and a key, of selections, and of blocks. */
import type { Expr } from "./expr.ts";
import { blocksOf, findAxis, sameAxes, sameSize, showAxes, showSize, wordsOf } from "./graph-axes.ts";
import type { NodeOf } from "./graph-operands.ts";
import type { Axis, Node, PairCore } from "./graph.ts";
import { checkExpr, expectAxes, expectLike, noLeaves, type Fail, type LeafRules } from "./verify-parts.ts";
import { checkTurn, type CheckLeaves } from "./verify-weight.ts";

/** What expressions over a pair may read, the logit excepted. */
export const pairLeaves = (buffers: readonly Node[]): LeafRules => ({
  ...noLeaves,
  indices: new Set(["q", "k", "h"]),
  buffers,
});

/** Checks what an expression of a node reads, given its indices and whether it has the logit. */
export const leavesChecker =
  (buffers: readonly Node[], fail: Fail): CheckLeaves =>
  (e, what, indices, logit) =>
    checkExpr(e, what, { ...pairLeaves(buffers), indices: new Set(indices), logit }, fail);

function checkBool(e: Expr, what: string, rules: LeafRules, fail: Fail): void {
  checkExpr(e, what, rules, fail);
  if (e.type !== "bool") fail(`${what} is ${e.type}`);
}

/** Queries and keys of one region: four axes, one batch, one width, heads a multiple of key-value heads. */
function checkSides(query: readonly Axis[], key: readonly Axis[], fail: Fail): void {
  for (const [what, axes] of [
    ["query", query],
    ["key", key],
  ] as const)
    if (axes.length !== 4) return fail(`${what} has axes ${showAxes(axes)}, expected four`);
  if (query[0]!.name !== "b") fail("query's first axis is not the batch");
  if (!sameSize(query[3]!.size, key[3]!.size)) fail("query and key differ in their last axis");
  const [heads, groups] = [query[2]!.size, key[2]!.size];
  if (
    heads.kind !== "fixed" ||
    groups.kind !== "fixed" ||
    groups.value < 1 ||
    heads.value % groups.value !== 0
  )
    fail("the number of heads is no multiple of the number of key-value heads");
}

/** Tables have their batch axis first, where they have one. */
function checkBuffers(buffers: readonly Node[], fail: Fail): void {
  buffers.forEach(({ axes }, n) => {
    if (axes.findIndex(({ name }) => name === "b") > 0)
      fail(`buffer ${n} has axes ${showAxes(axes)}, expected the batch first`);
  });
}

/** Regions and mask. */
export function checkPairs(node: PairCore, fail: Fail): void {
  checkBuffers(node.buffers, fail);
  const [first] = node.regions;
  if (first === undefined) return fail("has no region");
  for (const region of node.regions) {
    expectLike(region.query, first.query, "query", fail);
    expectLike(region.key, first.key, "key", fail);
  }
  checkSides(first.query.axes, first.key.axes, fail);
  const over = pairLeaves(node.buffers);
  checkBool(node.mask, "mask", over, fail);
  for (const region of node.regions) checkBool(region.when, "a region", over, fail);
  const width = first.query.axes[3]?.size;
  const check = leavesChecker(node.buffers, fail);
  for (const { turn } of node.regions)
    if (turn !== null) checkTurn(turn, width?.kind === "fixed" ? width.value : 0, check, fail);
  const last = node.regions.at(-1)!.when;
  if (last.kind !== "constant" || last.value !== 1) fail("the last region is not for all pairs");
}

/** A real over the logit, by default the score. */
export function checkScore(
  node: { readonly buffers: readonly Node[] },
  score: Expr,
  fail: Fail,
  what = "score",
): void {
  checkExpr(score, what, { ...pairLeaves(node.buffers), logit: true }, fail);
  if (score.type !== "real") fail(`${what} is ${score.type}`);
}

export function checkLogSumExp(node: NodeOf<"log-sum-exp">, fail: Fail): void {
  checkPairs(node, fail);
  checkScore(node, node.score, fail);
  const query = node.regions[0]?.query.axes ?? [];
  expectAxes(node, query.slice(0, 3), fail);
  if (node.dtype !== "f32") fail(`is ${node.dtype}`);
}

export function checkPairReduce(node: NodeOf<"pair-reduce">, fail: Fail): void {
  checkPairs(node, fail);
  checkScore(node, node.body, fail, "body");
  if (node.dtype !== "f32") fail(`is ${node.dtype}`);
  const batch = node.regions[0]?.query.axes[0];
  if (batch === undefined || node.axes[0] === undefined || !sameAxes([node.axes[0]], [batch]))
    fail("its first axis is not the batch");
  if (node.targets.length !== node.axes.length - 1)
    fail(`has ${node.targets.length} targets for ${node.axes.length - 1} axes`);
  for (const target of node.targets) {
    checkExpr(target, "a target", pairLeaves(node.buffers), fail);
    if (target.type !== "int") fail(`a target is ${target.type}`);
  }
}

export function checkSelect(node: NodeOf<"select">, fail: Fail): void {
  const over = pairLeaves(node.buffers);
  checkBuffers(node.buffers, fail);
  if (node.dtype !== "i32") fail(`is ${node.dtype}`);
  if ((node.query === null) !== (node.key === null))
    fail("has a query without a key, or a key without a query");
  checkExpr(node.body, "body", { ...over, logit: node.query !== null }, fail);
  if (node.body.type !== "real") fail(`body is ${node.body.type}`);
  checkBool(node.where, "where", over, fail);
  checkBool(node.always, "always", over, fail);
  const amount = node.choose.kind === "top" ? node.choose.count : node.choose.threshold;
  checkExpr(amount, node.choose.kind, { ...over, indices: new Set(node.perRow ? ["q", "h"] : ["h"]) }, fail);
  if (amount.type !== (node.choose.kind === "top" ? "int" : "real"))
    fail(`${node.choose.kind} is ${amount.type}`);
  if (node.candidates.kind === "batch") return fail("chooses among rows of the batch");
  const count = 2 + Number(node.perRow) + Number(node.perHead);
  if (node.axes.length !== count) return fail(`axes are ${showAxes(node.axes)}, expected ${count}`);
  if (node.axes[0]!.name !== "b") fail("its first axis is not the batch");
  const words = wordsOf(node.candidates);
  if (!sameSize(node.axes.at(-1)!.size, words))
    fail(`has ${showSize(node.axes.at(-1)!.size)} words, expected ${showSize(words)}`);
  if (node.query === null || node.key === null) return;
  const [query, key] = [node.query.axes, node.key.axes];
  checkSides(query, key, fail);
  if (query.length !== 4 || key.length !== 4) return;
  const one = { kind: "fixed", value: 1 } as const;
  if (!sameSize(key[1]!.size, node.candidates)) fail("keys are not the candidates");
  if (!sameSize(query[1]!.size, node.perRow ? node.axes[1]!.size : one)) fail("queries are not the rows");
  if (!sameSize(query[2]!.size, node.perHead ? node.axes.at(-2)!.size : one))
    fail("queries have other heads");
}

/** The axes of `node` are those of `operand`, with `axis` of another size (and perhaps another name). */
function checkBlocks(
  node: {
    readonly axes: readonly Axis[];
    readonly operand: Node;
    readonly axis: string;
    readonly block: number;
  },
  fail: Fail,
): { readonly given: Axis; readonly own: Axis } | null {
  const given = findAxis(node.operand.axes, node.axis);
  const own = node.axes[node.operand.axes.findIndex(({ name }) => name === node.axis)];
  if (!Number.isSafeInteger(node.block) || node.block < 1) fail(`has blocks of ${node.block}`);
  if (given === undefined || own === undefined) {
    fail(`has no axis ${node.axis}`);
    return null;
  }
  const expected = node.operand.axes.map((axis) => (axis === given ? own : axis));
  if (!sameAxes(node.axes, expected)) fail(`axes are ${showAxes(node.axes)}, expected ${showAxes(expected)}`);
  if (given.size.kind !== "batch" && own.size.kind !== "batch") return { given, own };
  fail("takes blocks of the batch");
  return null;
}

export function checkBlockReduce(node: NodeOf<"block-reduce">, fail: Fail): void {
  const axes = checkBlocks(node, fail);
  if (axes !== null && !sameSize(axes.own.size, blocksOf(axes.given.size, node.block)))
    fail(`axis ${axes.own.name} is ${showSize(axes.own.size)}`);
  if (node.dtype !== node.operand.dtype) fail("changes the element type");
  if (node.op === "mean" && node.dtype !== "f32") fail("takes a mean of whole numbers");
}

export function checkBlockSpread(node: NodeOf<"block-spread">, fail: Fail): void {
  const axes = checkBlocks(node, fail);
  if (axes !== null && !sameSize(axes.given.size, blocksOf(axes.own.size, node.block)))
    fail(
      `axis ${axes.own.name} of ${showSize(axes.own.size)} has other blocks than ${showSize(axes.given.size)}`,
    );
  if (node.dtype !== node.operand.dtype) fail("changes the element type");
}

export function checkRunningSum(node: NodeOf<"running-sum">, fail: Fail): void {
  const along = findAxis(node.operand.axes, node.axis);
  if (along === undefined) fail(`has no axis ${node.axis}`);
  else if (along.size.kind === "batch") fail("runs over the rows of the batch");
  expectAxes(node, node.operand.axes, fail);
  if (node.dtype !== "f32" || node.operand.dtype !== "f32") fail("sums whole numbers");
}
