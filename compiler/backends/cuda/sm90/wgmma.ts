/** Wrappers of the warpgroup matrix instructions, one C function for each shape and source of operands. */
import { c, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { elementName, type Sm90Element } from "./ptx.ts";

/** Numbers from ⋯ to (excluded). */
export const range = (to: number, from = 0): readonly number[] =>
  Array.from({ length: to - from }, (_, n) => from + n);

const list = (parts: readonly Fragment[]): Fragment => joinFragments(parts, c`, `);

export interface MatrixProduct {
  /** Name of the C function. */
  readonly name: Fragment;
  /** Columns of the result: a multiple of 8, at most 256. */
  readonly columns: number;
  /** Where the left operand comes from: a tile read along its rows, a tile read across them, or registers. */
  readonly left: "rows" | "columns" | "registers";
  /** The right operand, as its columns lie in shared memory: along rows of the tile or across them. */
  readonly right: "rows" | "columns";
}

/**
 * `name(float (&d)[columns / 2], left, right, keep)`: d = left · right + (keep ? d : 0) for 64 rows and 16 inner elements.
 * Asynchronous: d may be touched only after a wait that names it.
 */
export function productText(product: MatrixProduct, element: Sm90Element): Fragment {
  const { name, columns, left, right } = product;
  if (columns % 8 !== 0 || columns < 8 || columns > 256) throw new Error(`no product has ${columns} columns`);
  const count = columns / 2;
  const type = elementName(element);
  const accumulators = list(range(count).map((n) => c`%${n}`));
  const operands = list(range(count).map((n) => c`"+f"(d[${n}])`));
  const instruction = c`wgmma.mma_async.sync.aligned.m64n${columns}k16.f32.${type}.${type}`;
  const across = right === "columns" ? 1 : 0;
  if (left === "registers")
    return c`LCTX_DEVICE void ${name}(float (&d)[${count}], u32 a0, u32 a1, u32 a2, u32 a3, u64 b, int keep) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %${count + 5}, 0; ${instruction} {${accumulators}},"
    " {%${count}, %${count + 1}, %${count + 2}, %${count + 3}}, %${count + 4}, p, 1, 1, ${across}; }"
    : ${operands}
    : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(b), "r"(keep));
}
`;
  return c`LCTX_DEVICE void ${name}(float (&d)[${count}], u64 a, u64 b, int keep) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %${count + 2}, 0; ${instruction} {${accumulators}},"
    " %${count}, %${count + 1}, p, 1, 1, ${left === "columns" ? 1 : 0}, ${across}; }"
    : ${operands}
    : "l"(a), "l"(b), "r"(keep));
}
`;
}

/** `name(float (&d)[count])`: waits until at most `pending` groups of products run, and orders later uses of d after it. */
export function waitText(name: Fragment, count: number, pending: number): Fragment {
  return c`LCTX_DEVICE void ${name}(float (&d)[${count}]) {
  asm volatile("wgmma.wait_group.sync.aligned ${pending};" : ${list(range(count).map((n) => c`"+f"(d[${n}])`))}::"memory");
}
`;
}
