/** Prints shapes: extents of axes as text of a phase, whose batch and length are known when it runs. */
import { axisExtent } from "../../ir/axis-extent.ts";
import type { Axis } from "../../ir/graph.ts";
import { c, joinFragments, type Fragment } from "../../ir/kernel.ts";

/** `batch`, `length + 4`, `Math.ceil(length / 64)` or a number. */
export function extentText(axis: Axis): Fragment {
  const extent = axisExtent(axis.size);
  if (typeof extent === "number") return c`${extent}`;
  if (extent === "batch") return c`batch`;
  if (extent === "length") return c`length`;
  if (extent[0] === "+") return c`(length + ${extent[2]})`;
  const [, tokens, by] = extent;
  return tokens === "length" ? c`Math.ceil(length / ${by})` : c`Math.ceil((length + ${tokens[2]}) / ${by})`;
}

export const shapeText = (axes: readonly Axis[]): Fragment =>
  c`[${joinFragments(axes.map(extentText), c`, `)}]`;

/** The product of extents; numbers are multiplied now. */
export function productText(axes: readonly Axis[]): Fragment {
  let fixed = 1;
  const open: Fragment[] = [];
  for (const axis of axes)
    if (axis.size.kind === "fixed") fixed *= axis.size.value;
    else open.push(extentText(axis));
  if (open.length === 0) return c`${fixed}`;
  return joinFragments([...open, ...(fixed === 1 ? [] : [c`${fixed}`])], c` * `);
}

export const listText = (numbers: readonly (number | Fragment)[]): Fragment =>
  c`[${joinFragments(
    numbers.map((n) => (typeof n === "number" ? c`${n}` : n)),
    c`, `,
  )}]`;

/** The same text without an outer pair of parentheses is prettier's to find. */
export const same = (a: readonly Axis[], b: readonly Axis[]): boolean =>
  a.length === b.length && a.every(({ name }, n) => name === b[n]!.name);
