/** What must hold of one node: axes, element types, and what its expressions may read. Constructors and the verifier share it. */
import {
  addSizes,
  elementCount,
  findAxis,
  sameAxes,
  sameSize,
  showAxes,
  showSize,
  sizeDifference,
  unionAxes,
  withoutAxes,
} from "./graph-axes.ts";
import { nodeOperands, type NodeOf } from "./graph-operands.ts";
import { nodeResults } from "./graph-results.ts";
import type { AttentionCore, Axis, Node, NodeKind } from "./graph.ts";
import {
  checkBlockReduce,
  checkBlockSpread,
  checkRunningSum,
  checkLogSumExp,
  checkPairReduce,
  checkPairs,
  leavesChecker,
  checkScore,
  checkSelect,
  pairLeaves,
} from "./verify-pairs.ts";
import {
  agree,
  axisNames as names,
  checkExpr,
  expectAxes,
  expectLike,
  noLeaves,
  type Fail,
} from "./verify-parts.ts";
import { checkWeighting } from "./verify-weight.ts";

type Check<K extends NodeKind> = (node: NodeOf<K>, fail: Fail) => void;

function checkCore(node: AttentionCore, fail: Fail): void {
  checkPairs(node, fail);
  const [first] = node.regions;
  if (first === undefined || first.query.axes.length !== 4) return;
  const value = node.value.axes;
  if (value.length !== 4 || [0, 1, 2].some((n) => !sameSize(value[n]!.size, first.key.axes[n]!.size)))
    fail(`value has axes ${showAxes(value)}, key ${showAxes(first.key.axes)}`);
  checkScore(node, node.score, fail);
  checkWeighting(node, leavesChecker(node.buffers, fail), fail);
  if (node.prepended !== null) {
    const { key, value: prependedValue } = node.prepended;
    const shape = (axes: readonly Axis[]): string => axes.map(({ size }) => showSize(size)).join(",");
    const count = key.axes[0]?.size;
    if (count?.kind !== "fixed") return fail("prepended keys have no fixed count");
    if (shape(key.axes.slice(1)) !== shape(first.key.axes.slice(2)))
      fail("prepended keys differ from keys in shape");
    if (shape(prependedValue.axes) !== shape([key.axes[0]!, ...value.slice(2)]))
      fail("prepended values differ from values in shape");
  }
}

function checkLoss(node: Node, logits: readonly Axis[], targets: Node, fail: Fail): void {
  expectAxes(node, logits.slice(0, -1), fail);
  if (targets.dtype !== "i32") fail("targets are not whole numbers");
  if (!sameAxes(targets.axes, logits.slice(0, -1))) fail(`targets have axes ${showAxes(targets.axes)}`);
}

const checks: { readonly [K in NodeKind]: Check<K> } = {
  input: (node, fail) => {
    if (node.dtype !== (node.name === "loss-scale" ? "f32" : "i32")) fail(`is ${node.dtype}`);
  },
  parameter: (node, fail) => {
    for (const { name, size } of node.axes) if (size.kind !== "fixed") fail(`axis ${name} has no fixed size`);
    if (node.path === "") fail("has no path");
  },
  map: (node, fail) => {
    agree([node, ...node.operands], fail);
    for (const operand of node.operands)
      for (const { name } of operand.axes)
        if (findAxis(node.axes, name) === undefined) fail(`operand axis ${name} is not in the result`);
    const indices = new Set(names(node.axes));
    checkExpr(node.body, "body", { ...noLeaves, indices, operands: node.operands, uniform: true }, fail);
    if ((node.dtype === "f32") !== (node.body.type === "real"))
      fail(`is ${node.dtype}, its body ${node.body.type}`);
  },
  reduce: (node, fail) => {
    for (const name of node.over)
      if (findAxis(node.operand.axes, name) === undefined) fail(`has no axis ${name}`);
    if (node.over.length === 0) fail("removes no axis");
    expectAxes(node, withoutAxes(node.operand.axes, node.over), fail);
    if (node.dtype !== node.operand.dtype) fail("changes the element type");
  },
  contract: (node, fail) => {
    agree([node, node.left, node.right], fail);
    const all = names(unionAxes([node.left.axes, node.right.axes]));
    for (const name of node.over) {
      if (!all.includes(name)) fail(`sums over ${name}, which neither operand has`);
      if (findAxis(node.axes, name) !== undefined) fail(`sums over ${name} and keeps it`);
    }
    for (const name of all)
      if (!node.over.includes(name) && findAxis(node.axes, name) === undefined) fail(`loses axis ${name}`);
    for (const name of names(node.axes))
      if (!all.includes(name)) fail(`axis ${name} comes from neither operand`);
    if ([node, node.left, node.right].some(({ dtype }) => dtype !== "f32")) fail("takes reals");
  },
  gather: (node, fail) => {
    if (findAxis(node.table.axes, node.axis) === undefined) fail(`table has no axis ${node.axis}`);
    expectAxes(node, [...node.index.axes, ...withoutAxes(node.table.axes, [node.axis])], fail);
    if (node.index.dtype !== "i32") fail("index is not a whole number");
    if (node.dtype !== node.table.dtype) fail("changes the element type");
  },
  scatter: (node, fail) => {
    if (findAxis(node.axes, node.axis) === undefined) fail(`result has no axis ${node.axis}`);
    const expected = [...node.index.axes, ...withoutAxes(node.axes, [node.axis])];
    if (!sameAxes(node.values.axes, expected))
      fail(`values have axes ${showAxes(node.values.axes)}, expected ${showAxes(expected)}`);
    if (node.index.dtype !== "i32") fail("index is not a whole number");
  },
  reshape: (node, fail) => {
    if (elementCount(node.axes) !== elementCount(node.operand.axes))
      fail(`${showAxes(node.operand.axes)} becomes ${showAxes(node.axes)}`);
    if (node.dtype !== node.operand.dtype) fail("changes the element type");
  },
  concat: (node, fail) => {
    const rest = withoutAxes(node.axes, [node.axis]);
    const sizes = node.operands.map((operand) => findAxis(operand.axes, node.axis)?.size);
    for (const operand of node.operands) {
      const own = withoutAxes(operand.axes, [node.axis]);
      const repeated = findAxis(operand.axes, "b") === undefined ? withoutAxes(rest, ["b"]) : rest;
      if (!sameAxes(own, repeated))
        fail(`operand has axes ${showAxes(operand.axes)}, result ${showAxes(node.axes)}`);
      const shape = names(operand.axes).join();
      const full = names(node.axes).filter(
        (name) => name !== "b" || findAxis(operand.axes, "b") !== undefined,
      );
      if (shape !== full.join()) fail(`operand axes are ordered ${shape}, result ${full.join()}`);
      if (operand.dtype !== node.dtype) fail("changes the element type");
    }
    if (sizes.some((size) => size === undefined)) return fail(`an operand has no axis ${node.axis}`);
    const total = addSizes(sizes.map((size) => size!));
    const own = findAxis(node.axes, node.axis)?.size;
    if (total === null || own === undefined || !sameSize(total, own))
      fail(`sizes along ${node.axis} do not add up`);
  },
  slice: (node, fail) => {
    const [own, given] = [findAxis(node.axes, node.axis), findAxis(node.operand.axes, node.axis)];
    if (own === undefined || given === undefined) return fail(`has no axis ${node.axis}`);
    expectAxes(
      node,
      node.operand.axes.map((a) => (a.name === node.axis ? own : a)),
      fail,
    );
    if (!Number.isInteger(node.start) || node.start < 0) fail(`starts at ${node.start}`);
    if (own.size.kind === "batch") fail("slices the batch");
    const open = given.size.kind === "length" && own.size.kind === "fixed";
    const room = open ? Infinity : (sizeDifference(given.size, own.size) ?? -1);
    if (node.start > room) fail(`runs past the end of axis ${node.axis}`);
  },
  rotate: (node, fail) => {
    expectLike(node.operand, node, "operand", fail);
    const width = node.axes.at(-1)?.size;
    if (width?.kind !== "fixed" || node.rotated > width.value || node.rotated % 2 !== 0 || node.rotated < 0)
      fail(`rotates ${node.rotated} dimensions`);
    if (findAxis(node.axes, "t") === undefined) fail("has no token axis");
    checkExpr(node.position, "position", { ...noLeaves, indices: new Set(["x", "h"]) }, fail);
    checkExpr(node.angle, "angle", { ...noLeaves, indices: new Set(["m"]) }, fail);
    checkExpr(node.scale, "scale", { ...noLeaves, indices: new Set(["m"]) }, fail);
  },
  attention: (node, fail) => {
    checkCore(node, fail);
    const [query, value] = [node.regions[0]?.query, node.value];
    if (query === undefined || node.axes.length !== 4) return fail(`axes are ${showAxes(node.axes)}`);
    if (
      !sameAxes(node.axes.slice(0, 3), query.axes.slice(0, 3)) ||
      !sameSize(node.axes[3]!.size, value.axes[3]!.size)
    )
      fail(`axes are ${showAxes(node.axes)}, query ${showAxes(query.axes)}, value ${showAxes(value.axes)}`);
  },
  "attention-gradient": (node, fail) => {
    checkCore(node, fail);
    const query = node.regions[0]?.query;
    if (query === undefined) return;
    expectLike(node, query, "the gradient of the query", fail);
    expectLike(node.outputGradient, node.output, "output gradient", fail);
    if (!sameAxes(node.logSumExp.axes, query.axes.slice(0, 3)))
      fail("log-sum-exp is not one number per query and head");
    const over = { ...pairLeaves(node.buffers), logit: true };
    checkExpr(node.scoreSlope, "score slope", over, fail);
    if ((node.weight === null) !== (node.weightSlopes === null))
      fail("has slopes of a weight, or misses them");
    if (node.weightSlopes !== null) {
      const { row, block, factors } = node.weightSlopes;
      for (const slope of [row, block, ...factors]) checkExpr(slope, "a weight's slope", over, fail);
      if (factors.length !== node.weight?.cases.length) fail("has not one slope for each case");
    }
    for (const { buffer, loads } of node.bufferGradients) {
      if (node.buffers[buffer]?.dtype !== "f32") fail(`buffer ${buffer} is no table of reals`);
      for (const { indices, slope } of loads) {
        checkExpr(slope, "a table's slope", over, fail);
        for (const at of indices) checkExpr(at, "a table's index", over, fail);
      }
    }
  },
  select: checkSelect,
  "log-sum-exp": checkLogSumExp,
  "pair-reduce": checkPairReduce,
  "block-reduce": checkBlockReduce,
  "block-spread": checkBlockSpread,
  "running-sum": checkRunningSum,
  "cross-entropy": (node, fail) => checkLoss(node, node.logits.axes, node.targets, fail),
  "cross-entropy-gradient": (node, fail) => {
    checkLoss(node.lossGradient, node.logits.axes, node.targets, fail);
    expectLike(node.logSumExp, node.lossGradient, "log-sum-exp", fail);
    expectLike(node, node.logits, "the gradient", fail);
  },
  "head-loss": (node, fail) => checkHead(node, node.x, node.weight, node.targets, fail),
  "head-loss-gradient": (node, fail) => {
    checkHead(node.lossGradient, node.x, node.weight, node.targets, fail);
    expectLike(node.logSumExp, node.lossGradient, "log-sum-exp", fail);
    expectLike(node, node.x, "the gradient", fail);
  },
  result: (node, fail) => {
    const result = nodeResults(node.of)[node.result];
    if (node.result < 1 || result === undefined) return fail(`${node.of.kind} has no result ${node.result}`);
    expectAxes(node, result.axes, fail);
    if (node.dtype !== result.dtype) fail(`is ${node.dtype}, the result ${result.dtype}`);
  },
  hole: (node, fail) => {
    if (node.name === "") fail("has no name");
  },
};

function checkHead(loss: Node, x: Node, weight: Node, targets: Node, fail: Fail): void {
  if (weight.axes.length !== 2 || x.axes.length < 2) return fail("takes x [b, t, i] and weight [v, i]");
  if (!sameSize(weight.axes[1]!.size, x.axes.at(-1)!.size)) fail("x and weight differ in their last axis");
  checkLoss(loss, x.axes, targets, fail);
}

/** Everything wrong with a node, as sentences without its name; empty when nothing is. Operands are taken as right. */
export function nodeProblems(node: Node): readonly string[] {
  const problems: string[] = [];
  const fail: Fail = (problem) => void problems.push(problem);
  const seen = new Set<string>();
  for (const { name, size } of node.axes) {
    if (seen.has(name)) fail(`has two axes named ${name}`);
    seen.add(name);
    if (size.kind === "fixed" && (!Number.isSafeInteger(size.value) || size.value < 0))
      fail(`axis ${name} has size ${size.value}`);
    if (size.kind === "length" && (!Number.isSafeInteger(size.by) || size.by < 1))
      fail(`axis ${name} has blocks of ${size.by}`);
  }
  if (nodeOperands(node).some((operand) => operand === undefined)) return ["misses an operand"];
  (checks[node.kind] as (node: Node, fail: Fail) => void)(node, fail);
  return problems;
}
