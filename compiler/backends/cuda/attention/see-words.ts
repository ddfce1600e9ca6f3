/** Device text of masks by words: for one query, which of 32 keys after one another it sees, where the mask can be said so. */
import { someExpr, sub, type Expr } from "../../../ir/expr.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { linearForm } from "../../../ir/linear.ts";
import type { CudaPrinter } from "../print-expr.ts";
import type { CudaTable } from "./tables.ts";

/** Needs `lctx_member` only where a mask reads sets. */
export const wordsText: Fragment = c`
/* The lowest n bits. */
LCTX_DEVICE unsigned lctx_low_bits(int n) { return n <= 0 ? 0u : n >= 32 ? 0xffffffffu : (1u << n) - 1u; }
/* 32 elements of a set from the given one on, which may lie outside of it. */
LCTX_DEVICE unsigned lctx_window(const int *row, int words, int from) {
  const int w = from >> 5, shift = from & 31;
  const unsigned low = w >= 0 && w < words ? (unsigned)__ldg(row + w) : 0u;
  const unsigned high = w + 1 >= 0 && w + 1 < words ? (unsigned)__ldg(row + w + 1) : 0u;
  return shift == 0 ? low : low >> shift | high << (32 - shift);
}
`;

const isIndex = (e: Expr, name: string): boolean => e.kind === "index" && e.name === name;
const readsKey = (e: Expr): boolean => someExpr(e, (part) => isIndex(part, "k"));

/** How the key counts in a whole number that is a sum: 1, −1, or null when it is in no such sum. */
function keyFactor(e: Expr): 1 | -1 | null {
  let factor: number | null = null;
  for (const [part, own] of linearForm(e).terms)
    if (isIndex(part, "k")) factor = own;
    else if (readsKey(part)) return null;
  return factor === 1 || factor === -1 ? factor : null;
}

export interface WordReads {
  readonly printer: CudaPrinter;
  readonly tables: readonly CudaTable[];
  /** Flat place of a row of a table. */
  readonly place: (table: CudaTable, indices: readonly Fragment[]) => Fragment;
}

/**
 * The word of a mask for keys k … k + 31, k a multiple of 32: bit i is what the mask says of key k + i. Printed with `k`
 * as that first key. Null for masks that read the key in other ways than sets, sums and blocks of 32 · n keys.
 */
export function maskWord(e: Expr, reads: WordReads): Fragment | null {
  const { printer, tables, place } = reads;
  if (!readsKey(e)) return c`(${printer.print(e)} ? 0xffffffffu : 0u)`;
  if (e.kind === "unary" && e.op === "not") {
    const inner = maskWord(e.operand, reads);
    return inner === null ? null : c`(~${inner})`;
  }
  if (e.kind === "binary" && (e.op === "and" || e.op === "or")) {
    const [left, right] = [maskWord(e.left, reads), maskWord(e.right, reads)];
    if (left === null || right === null) return null;
    return e.op === "and" ? c`(${left} & ${right})` : c`(${left} | ${right})`;
  }
  if (e.kind === "binary" && (e.op === "le" || e.op === "lt") && e.left.type === "int") {
    // What is at least 0, or 1, where the comparison holds: for the first key, and how it goes on with others.
    const over = sub(e.right, e.left);
    const factor = keyFactor(over);
    if (factor === null) return null;
    const first = printer.print(over);
    if (factor === -1) return c`lctx_low_bits(${first}${e.op === "le" ? c` + 1` : c``})`;
    return c`(~lctx_low_bits(${e.op === "le" ? c`` : c`1 `}- ${first}))`;
  }
  if (e.kind !== "set" || e.op !== "member") return null;
  const rows = e.indices;
  const { element } = e;
  if (rows.some(readsKey)) return null;
  const table = tables[e.buffer]!;
  const words = table.extentText.at(-1)!;
  const row = c`${table.base} + ${place(
    table,
    rows.map((own) => printer.print(own)),
  )} * ${words}`;
  const factor = keyFactor(element);
  if (factor === 1) return c`lctx_window(${row}, ${words}, ${printer.print(element)})`;
  if (factor === -1) return c`__brev(lctx_window(${row}, ${words}, ${printer.print(element)} - 31))`;
  const whole =
    element.kind === "binary" &&
    element.op === "floor-div" &&
    isIndex(element.left, "k") &&
    element.right.kind === "constant" &&
    element.right.value % 32 === 0;
  return whole ? c`(lctx_member(${row}, ${words}, ${printer.print(element)}) ? 0xffffffffu : 0u)` : null;
}
