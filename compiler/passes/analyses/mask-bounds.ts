/** Whether a mask holds for all, some or none of the pairs of a block of queries and a block of keys. */
import { index, type Expr } from "../../ir/expr.ts";
import { simplifyExpr } from "../../ir/simplify-expr.ts";
import type { AttentionCore } from "../../ir/graph.ts";
import type { Truth } from "../../ir/block-facts.ts";
import { symbolicBounds } from "./symbolic-bounds.ts";

/** Numbers of the buffers of a node whose elements do not decrease along a row. */
export function risingBuffers(core: Pick<AttentionCore, "buffers">): ReadonlySet<number> {
  return new Set(
    core.buffers.flatMap((buffer, n) =>
      buffer.kind === "input" && (buffer.name === "documents" || buffer.name === "starts") ? [n] : [],
    ),
  );
}

/**
 * Expressions over indices `q0`, `q1`, `k0`, `k1` (inclusive corners of a block, each within the row), `h`, sizes and
 * loads: `all` implies that the mask holds at every pair; where it holds at some pair, `any` is true.
 */
export function maskBounds(mask: Expr, rising: ReadonlySet<number> = new Set()): Truth {
  const ranges = new Map([
    ["q", { low: index("q0"), high: index("q1") }],
    ["k", { low: index("k0"), high: index("k1") }],
  ]);
  const { all, any } = symbolicBounds(ranges, rising).truth(simplifyExpr(mask));
  return { all: simplifyExpr(all), any: simplifyExpr(any) };
}
