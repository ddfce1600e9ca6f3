/** Tables that masks and scores load: where an element lies, kept inside the table for every index. */
import type { Size } from "../../../../runtime/program.ts";
import type { ExprType, SetRead } from "../../../ir/expr.ts";
import type { Node } from "../../../ir/graph.ts";
import { c, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import type { ExprPrinter, PrintedValue } from "../print-expr.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";

export interface AttentionTable {
  readonly dtype: "f32" | "i32";
  /** Pointer to the first element (of the row, for batch data). */
  readonly base: Fragment;
  /** Extents of the axes that are indexed. */
  readonly extents: readonly Fragment[];
  readonly sizes: readonly Size[];
  /** True when the table has a batch axis: each row of the batch has one of its own. */
  readonly batched: boolean;
}

/** Tables of an attention; open extents are read from `a->sizes` at places that `take` hands out. */
export function attentionTables(
  buffers: readonly Node[],
  take: (size: Size) => Fragment,
): readonly AttentionTable[] {
  return buffers.map((buffer, n) => {
    const batched = buffer.axes[0]?.name === "b";
    const sizes = (batched ? buffer.axes.slice(1) : buffer.axes).map((axis) => axisExtent(axis.size));
    const extents = sizes.map((size) => (typeof size === "number" ? c`${size}` : take(size)));
    const type = buffer.dtype === "f32" ? c`float` : c`int32_t`;
    const row = batched ? c` + (int64_t)b * ${joinFragments([c`1`, ...extents], c` * `)}` : c``;
    return {
      dtype: buffer.dtype,
      base: c`((const ${type} *)a->tables[${n}]${row})`,
      extents,
      sizes,
      batched,
    };
  });
}

/** The flat index of an element (or of a row, with fewer indices), each index kept inside its axis. */
export function flatIndex(
  table: AttentionTable,
  indices: readonly PrintedValue[],
  spread: (value: PrintedValue) => Fragment,
): PrintedValue {
  const lanes = indices.some((value) => value.form === "lanes");
  const scope = Math.max(0, ...indices.map((value) => value.scope));
  let flat: Fragment = lanes ? c`lctx_splat_int(0)` : c`0`;
  indices.forEach((value, n) => {
    const extent = c`(int32_t)(${table.extents[n]!})`;
    const inside = lanes
      ? c`lctx_min_int_v(lctx_max_int_v(${spread(value)}, lctx_splat_int(0)), lctx_splat_int(${extent} - 1))`
      : c`lctx_min_int_s(lctx_max_int_s(${value.text}, 0), ${extent} - 1)`;
    flat = c`(${flat} * ${extent} + ${inside})`;
  });
  return { text: flat, type: "int", form: lanes ? "lanes" : "single", scope };
}

/** The element at a flat index, converted to the type that the expression wants. */
export function loadElement(table: AttentionTable, at: PrintedValue, type: ExprType): PrintedValue {
  const wide = at.form === "lanes";
  const whole = table.dtype === "i32";
  const element = wide
    ? whole
      ? c`lctx_gather_int(${table.base}, ${at.text})`
      : c`lctx_gather(${table.base}, ${at.text})`
    : c`${table.base}[${at.text}]`;
  const suffix = wide ? c`_v` : c`_s`;
  if (type === "bool") return { ...at, text: c`(${element} != 0)`, type };
  if (whole === (type === "int")) return { ...at, text: element, type };
  return {
    ...at,
    text: whole ? c`lctx_to_real${suffix}(${element})` : c`lctx_truncate${suffix}(${element})`,
    type,
  };
}

/** What is asked of a row of a set; elements outside its words are no members. */
export function readSet(
  { op, type }: SetRead,
  table: AttentionTable,
  row: readonly PrintedValue[],
  element: PrintedValue,
  { name, spread, declare }: ExprPrinter,
): PrintedValue {
  const at = name(flatIndex(table, row, spread));
  const of = c`${table.base}, (int32_t)(${table.extents.at(-1)!})`;
  // Keys that follow one another ask the same words of the rows.
  if (at.form === "lanes" && element.form === "single" && at.scope < element.scope) {
    const kept = declare(at.scope, (own) => c`lctx_words ${own} = {.at = LCTX_NO_WORD};\n`);
    const text = c`lctx_${op === "member" ? c`member` : c`rank`}_kept(&${kept}, ${of}, ${at.text}, ${element.text})`;
    return { text, type, form: "lanes", scope: element.scope };
  }
  const form = at.form === "lanes" || element.form === "lanes" ? "lanes" : "single";
  const [rows, elements] = form === "lanes" ? [spread(at), spread(element)] : [at.text, element.text];
  const suffix = form === "lanes" ? c`_v` : c`_s`;
  const text = c`lctx_${op === "member" ? c`member` : c`rank`}${suffix}(${of}, ${rows}, ${elements})`;
  return { text, type, form, scope: Math.max(at.scope, element.scope) };
}
