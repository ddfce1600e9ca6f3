/** Turns a fused unit into a RowsStep: inputs by address, members as stages; and single maps that copy or permute. */
import { add, binary, index, int, mapExpr, operand, size as sizeOf, unary, type Expr } from "../ir/expr.ts";
import type { Node } from "../ir/graph.ts";
import { nodeOperands } from "../ir/graph-operands.ts";
import type { Operand, RowsInput, RowsStage, RowsStep } from "../ir/schedule.ts";
import type { Size } from "../../runtime/program.ts";
import type { Unit } from "./graph-to-schedule-fuse.ts";
import { productSize, sizedAxes, type SizedAxis } from "./graph-to-schedule-tensors.ts";

/** Where a value that others read goes. */
export interface Store {
  readonly operand: Operand;
  readonly accumulate: string | null;
}

export interface RowsContext {
  /** The tensor that holds a value from outside the unit. */
  readonly locate: (node: Node) => Operand;
  /** Null for a value that only members of the unit read. */
  readonly store: (node: Node) => Store | null;
  /** A new tensor for a copied value. */
  readonly temporary: (site: string, shape: readonly Size[], dtype: "f32" | "i32") => Operand;
  /** Adds a step that must run before the unit's own. */
  readonly before: (step: RowsStep) => void;
}

/** A size as an expression. */
export function sizeToExpr(size: Size): Expr {
  if (typeof size === "number") return int(size);
  if (typeof size === "string") {
    if (size === "batch" || size === "length" || size === "query-start") return sizeOf(size);
    throw new Error(`${size} is no size of an expression`);
  }
  const [op, ...parts] = size;
  return parts.map(sizeToExpr).reduce((a, b) => (op === "*" ? binary("mul", a, b) : add(a, b)));
}

const nameOf = (axes: readonly SizedAxis[]): string => axes.map((axis) => axis.name).join("+");

/** One stage that reads `input` and stores it under `axes` (a permutation or an expansion of the input's own). */
export function copyStep(input: RowsInput, axes: readonly SizedAxis[], store: Store, site: string): RowsStep {
  const width = axes.at(-1) ?? { name: "one", size: 1 };
  return {
    kind: "rows",
    rowAxes: axes.slice(0, -1),
    width,
    inputs: [input],
    stages: [
      {
        kind: "map",
        op: null,
        body: operand(0, input.dtype === "i32" ? "int" : "real"),
        dtype: input.dtype,
        store: store.operand,
        accumulate: store.accumulate,
      },
    ],
    site,
  };
}

/** A reduction that removes the last `count` of the input's axes. */
export function reduceStep(
  input: RowsInput,
  count: number,
  op: "sum" | "max" | "min",
  store: Store,
  site: string,
): RowsStep {
  const rows = input.axes.slice(0, input.axes.length - count);
  const removed = input.axes.slice(input.axes.length - count);
  const width = { name: nameOf(removed), size: productSize(removed.map((axis) => axis.size)) };
  return {
    kind: "rows",
    rowAxes: rows,
    width,
    inputs: [{ ...input, axes: [...rows, width] }],
    stages: [
      {
        kind: "reduce",
        op,
        body: operand(0),
        dtype: "f32",
        store: store.operand,
        accumulate: store.accumulate,
      },
    ],
    site,
  };
}

/**
 * Lays several width axes as one. An input that follows all of them in order, or none, keeps its memory; any other is
 * first expanded over all of them.
 */
function mergeWidth(
  input: RowsInput,
  widths: readonly SizedAxis[],
  merged: SizedAxis,
  context: RowsContext,
  site: string,
): RowsInput {
  const names = new Set(widths.map((axis) => axis.name));
  const own = input.axes.filter((axis) => names.has(axis.name));
  if (own.length === 0) return input;
  const tail = input.axes.slice(input.axes.length - widths.length);
  const whole = tail.length === widths.length && tail.every((axis, n) => axis.name === widths[n]!.name);
  const rows = input.axes.filter((axis) => !names.has(axis.name));
  if (whole) return { ...input, axes: [...rows, merged] };
  const expanded = [...rows, ...widths];
  const into = context.temporary(
    `${site}.expanded`,
    expanded.map((axis) => axis.size),
    input.dtype,
  );
  context.before(copyStep(input, expanded, { operand: into, accumulate: null }, site));
  return { operand: into, axes: [...rows, merged], dtype: input.dtype };
}

/** Index expressions of axes that were laid as one: the outer by floor division, the inner by remainder. */
function splitIndices(widths: readonly SizedAxis[], merged: SizedAxis): ReadonlyMap<string, Expr> {
  const parts = new Map<string, Expr>();
  let rest: Expr = index(merged.name);
  for (let n = widths.length - 1; n >= 0; n--) {
    const { name, size } = widths[n]!;
    parts.set(name, n === 0 ? rest : binary("mod", rest, sizeToExpr(size)));
    rest = binary("floor-div", rest, sizeToExpr(size));
  }
  return parts;
}

/** The step of a rows unit. */
export function unitToRows(unit: Unit, context: RowsContext): RowsStep {
  const axes = sizedAxes(unit.axes);
  const split = unit.split ?? Math.max(axes.length - 1, 0);
  const rowAxes = axes.slice(0, split);
  const widths = axes.slice(split);
  const site = unit.members.at(-1)!.site;
  const width: SizedAxis =
    widths.length === 1
      ? widths[0]!
      : {
          name: widths.length === 0 ? "one" : nameOf(widths),
          size: productSize(widths.map((axis) => axis.size)),
        };

  const outside: Node[] = [];
  for (const member of unit.members)
    for (const value of nodeOperands(member))
      if (!unit.roles.has(value) && !outside.includes(value)) outside.push(value);
  const inputs = outside.map((node): RowsInput => {
    const plain = { operand: context.locate(node), axes: sizedAxes(node.axes), dtype: node.dtype };
    return widths.length > 1 ? mergeWidth(plain, widths, width, context, site) : plain;
  });
  const number = new Map<Node, number>();
  outside.forEach((node, n) => number.set(node, n));
  unit.members.forEach((node, n) => number.set(node, inputs.length + n));

  const indices = widths.length > 1 ? splitIndices(widths, width) : new Map<string, Expr>();
  const stages = unit.members.map((member): RowsStage => {
    const store = context.store(member);
    const stored = {
      dtype: member.dtype,
      store: store?.operand ?? null,
      accumulate: store?.accumulate ?? null,
    };
    if (member.dtype !== "f32" && member.kind !== "map")
      throw new Error(`${member.site}: a ${member.kind} of whole numbers`);
    if (member.kind === "map") {
      const body = mapExpr(member.body, (e) => {
        if (e.kind === "operand") return operand(number.get(member.operands[e.index]!)!, e.type);
        if (e.kind === "index") return indices.get(e.name) ?? e;
        return e;
      });
      const whole = member.dtype === "i32" ? unary("to-int", body) : body;
      return { kind: unit.roles.get(member) === "row" ? "row-map" : "map", op: null, body: whole, ...stored };
    }
    if (member.kind !== "reduce") throw new Error(`${member.kind} is no member of a rows unit`);
    const body = operand(number.get(member.operand)!);
    return unit.roles.get(member) === "row"
      ? { kind: "reduce", op: member.op, body, ...stored }
      : { kind: "column-sum", op: null, body, ...stored };
  });
  return { kind: "rows", rowAxes, width, inputs, stages, site };
}
