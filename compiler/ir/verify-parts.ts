/** What the checks of single nodes are made of: leaves of expressions, equal axes, axes of one name. */
import { exprChildren, type Expr } from "./expr.ts";
import { findAxis, sameAxes, sameSize, showAxes, showSize, unionAxes, withoutAxes } from "./graph-axes.ts";
import type { Axis, Node } from "./graph.ts";

/** Hears of each problem, as a sentence without the node's name. */
export type Fail = (problem: string) => void;

export const axisNames = (axes: readonly Axis[]): readonly string[] => axes.map(({ name }) => name);

/** What leaves an expression may have, beside constants, sizes and scalars. */
export interface LeafRules {
  readonly indices: ReadonlySet<string>;
  readonly operands: readonly Node[];
  readonly buffers: readonly Node[];
  readonly logit: boolean;
  readonly uniform: boolean;
}

export const noLeaves: LeafRules = {
  indices: new Set(),
  operands: [],
  buffers: [],
  logit: false,
  uniform: false,
};

export function checkExpr(root: Expr, what: string, rules: LeafRules, fail: Fail): void {
  const seen = new Set<Expr>();
  const visit = (e: Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    exprChildren(e).forEach(visit);
    if (e.kind === "index" && !rules.indices.has(e.name)) fail(`${what} reads index ${e.name}`);
    if (e.kind === "logit" && !rules.logit) fail(`${what} reads the logit`);
    if (e.kind === "uniform" && !rules.uniform) fail(`${what} reads a random number`);
    if (e.kind === "operand") {
      const given = rules.operands[e.index];
      if (given === undefined) fail(`${what} reads operand ${e.index} of ${rules.operands.length}`);
      else if ((given.dtype === "i32") !== (e.type === "int"))
        fail(`${what} reads operand ${e.index} (${given.dtype}) as ${e.type}`);
    }
    if (e.kind === "set") {
      const buffer = rules.buffers[e.buffer];
      if (buffer === undefined)
        return fail(`${what} reads set ${e.buffer} of ${rules.buffers.length} buffers`);
      if (e.op === "any" || e.op === "all") fail(`${what} asks a rectangle of a set, as only bounds may`);
      const rank = withoutAxes(buffer.axes, ["b"]).length - 1;
      if (e.indices.length !== rank)
        fail(`${what} reads set ${e.buffer} with ${e.indices.length} indices of ${rank}`);
      if ([...e.indices, e.element].some((at) => at.type !== "int")) fail(`${what} asks a set for a real`);
      if (buffer.dtype !== "i32") fail(`${what} reads ${buffer.dtype} as a set`);
    }
    if (e.kind === "load") {
      const buffer = rules.buffers[e.buffer];
      if (buffer === undefined) return fail(`${what} loads buffer ${e.buffer} of ${rules.buffers.length}`);
      const rank = withoutAxes(buffer.axes, ["b"]).length;
      if (e.indices.length !== rank)
        fail(`${what} loads buffer ${e.buffer} with ${e.indices.length} indices of ${rank}`);
      if (e.indices.some((at) => at.type !== "int")) fail(`${what} loads buffer ${e.buffer} at a real index`);
      if ((buffer.dtype === "i32") !== (e.type === "int")) fail(`${what} loads ${buffer.dtype} as ${e.type}`);
    }
  };
  visit(root);
}

export function expectAxes(node: Node, expected: readonly Axis[], fail: Fail): void {
  if (!sameAxes(node.axes, expected)) fail(`axes are ${showAxes(node.axes)}, expected ${showAxes(expected)}`);
}

export function expectLike(node: Node, like: Node, what: string, fail: Fail): void {
  if (!sameAxes(node.axes, like.axes))
    fail(`${what} has axes ${showAxes(node.axes)}, expected ${showAxes(like.axes)}`);
}

/** Axes of one name have one size in all operands. */
export function agree(nodes: readonly Node[], fail: Fail): void {
  for (const { name, size } of unionAxes(nodes.map((node) => node.axes)))
    for (const node of nodes) {
      const own = findAxis(node.axes, name);
      if (own !== undefined && !sameSize(own.size, size))
        fail(`axis ${name} is ${showSize(own.size)} and ${showSize(size)}`);
    }
}
