/** Collapse-axes: lays neighbouring axes of a rows step as one where every input agrees, so that loops are few and long. */
import { someExpr } from "../../ir/expr.ts";
import type { RowsInput, RowsStep, Schedule, Step } from "../../ir/schedule.ts";
import type { Size } from "../../../runtime/program.ts";

interface NamedAxis {
  readonly name: string;
  readonly size: Size;
}

const product = (a: Size, b: Size): Size => {
  if (a === 1) return b;
  if (b === 1) return a;
  if (typeof a === "number" && typeof b === "number") return a * b;
  const parts = (size: Size): readonly Size[] =>
    typeof size === "object" && size[0] === "*" ? (size.slice(1) as Size[]) : [size];
  return ["*", ...parts(a), ...parts(b)];
};

/** True when an input has both axes one after the other, or neither. */
function agrees(input: RowsInput, outer: string, inner: string): boolean {
  const at = input.axes.findIndex((axis) => axis.name === outer);
  const below = input.axes.findIndex((axis) => axis.name === inner);
  return at < 0 ? below < 0 : below === at + 1;
}

function mergeInput(input: RowsInput, outer: string, inner: string, merged: NamedAxis): RowsInput {
  if (!input.axes.some((axis) => axis.name === outer)) return input;
  return {
    ...input,
    axes: input.axes.flatMap((axis) => (axis.name === outer ? [merged] : axis.name === inner ? [] : [axis])),
  };
}

/**
 * rows [b, t] × width i, all inputs over b·t → rows [b·t] × width i; with maps only, also the width joins.
 * Law: flat positions of stored values and of `uniform` counters stay the same.
 */
export function collapseRows(step: RowsStep): RowsStep {
  const mapsOnly = step.stages.every((stage) => stage.kind === "map");
  const indexed = new Set<string>();
  for (const stage of step.stages)
    someExpr(stage.body, (e) => {
      if (e.kind === "index") indexed.add(e.name);
      return false;
    });
  let axes: readonly NamedAxis[] = [...step.rowAxes, step.width];
  let inputs = step.inputs;
  for (let n = axes.length - 2; n >= 0; n--) {
    const outer = axes[n]!;
    const inner = axes[n + 1]!;
    if (n + 1 === axes.length - 1 && !mapsOnly) continue;
    if (indexed.has(outer.name) || indexed.has(inner.name)) continue;
    if (!inputs.every((input) => agrees(input, outer.name, inner.name))) continue;
    const merged = { name: `${outer.name}*${inner.name}`, size: product(outer.size, inner.size) };
    inputs = inputs.map((input) => mergeInput(input, outer.name, inner.name, merged));
    axes = [...axes.slice(0, n), merged, ...axes.slice(n + 2)];
  }
  return { ...step, rowAxes: axes.slice(0, -1), width: axes.at(-1)!, inputs };
}

export function collapseAxes(schedule: Schedule): Schedule {
  const collapse = (step: Step): Step => (step.kind === "rows" ? collapseRows(step) : step);
  return {
    tensors: schedule.tensors,
    phases: Object.fromEntries(
      Object.entries(schedule.phases).map(([name, steps]) => [name, steps.map(collapse)]),
    ),
  };
}
