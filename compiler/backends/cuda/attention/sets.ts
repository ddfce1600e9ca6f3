/** Device text of sets in words: whether an element is in a row, its rank, and any or all of a rectangle of rows and elements. */
import { c, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import type { SetOp } from "../../../ir/expr.ts";
import type { CudaTable } from "./tables.ts";

/** More rows than this are not looked through: then any of them may hold the element, and not all need to. */
const mostRows = 4096;

/**
 * `lctx_members<any or all>(set, extent, low, high)`: of the last axis, `extent` counts words and `low`, `high` are
 * elements; of those before, indices of rows, kept inside their axis as where a row is read. Of the axis with most rows,
 * or of a single row, eight words are asked for at a time, so that their latencies overlap.
 */
export const setsText: Fragment = c`
LCTX_DEVICE bool lctx_member(const int *row, int words, int element) {
  return element >= 0 && element < 32 * words && (__ldg(row + (element >> 5)) >> (element & 31) & 1);
}
LCTX_DEVICE int lctx_rank(const int *row, int words, int element) {
  const int whole = min(max(element, 0) >> 5, words);
  int rank = 0;
#pragma unroll 1
  for (int w = 0; w < whole; w++) rank += __popc((unsigned)__ldg(row + w));
  if (whole < words && element > 0) rank += __popc((unsigned)__ldg(row + whole) & ((1u << (element & 31)) - 1u));
  return rank;
}
template <int kAxes> struct lctx_corner {
  int at[kAxes];
};
template <bool kAll, int kAxes>
LCTX_DEVICE bool lctx_members(const int *set, const lctx_corner<kAxes> &extents, const lctx_corner<kAxes> &lows,
                              const lctx_corner<kAxes> &highs) {
  const int (&extent)[kAxes] = extents.at, (&low)[kAxes] = lows.at, (&high)[kAxes] = highs.at;
  constexpr int kRows = kAxes - 1;
  const int words = extent[kRows], from = max(low[kRows], 0), to = min(high[kRows], 32 * words - 1);
  if (kAll && (from != low[kRows] || to != high[kRows])) return false;
  if (from > to) return false;
  int count[kAxes], step[kAxes], size = words, rows = 1, most = 1, stride = 0;
#pragma unroll
  for (int i = kRows - 1; i >= 0; i--) {
    const int first = min(max(low[i], 0), extent[i] - 1);
    count[i] = max(min(max(high[i], 0), extent[i] - 1) - first + 1, 1), step[i] = size;
    if (count[i] > most) most = count[i], stride = size;
    set += first * size, size *= extent[i];
    if (count[i] > ${mostRows} / rows) return !kAll;
    rows *= count[i];
  }
  if (rows == 1) {
    const int first = from >> 5, last = to >> 5;
    for (int start = first; start <= last; start += 8) {
      unsigned some = 0u, lacking = 0u;
#pragma unroll
      for (int u = 0; u < 8; u++) {
        const int w = start + u;
        unsigned asked = w > last ? 0u : 0xffffffffu;
        if (w == first) asked &= 0xffffffffu << (from & 31);
        if (w == last) asked &= 0xffffffffu >> (31 - (to & 31));
        const unsigned word = (unsigned)__ldg(set + min(w, last));
        some |= word & asked, lacking |= asked & ~word;
      }
      if (kAll ? lacking != 0u : some != 0u) return !kAll;
    }
    return kAll;
  }
  for (int n = 0; n < rows / most; n++) {
    const int *row = set;
    int rest = n;
#pragma unroll
    for (int i = kRows - 1; i >= 0; i--)
      if (step[i] != stride) row += rest % count[i] * step[i], rest /= count[i];
    for (int w = from >> 5; w <= to >> 5; w++) {
      const unsigned first = w == from >> 5 ? 0xffffffffu << (from & 31) : 0xffffffffu;
      const unsigned asked = w == to >> 5 ? first & 0xffffffffu >> (31 - (to & 31)) : first;
      for (int j = 0; j < most; j += 8) {
        unsigned held = kAll ? 0xffffffffu : 0u;
#pragma unroll
        for (int u = 0; u < 8; u++) {
          const unsigned word = (unsigned)__ldg(row + min(j + u, most - 1) * stride + w);
          held = kAll ? held & word : held | word;
        }
        if (kAll ? (held & asked) != asked : (held & asked) != 0u) return !kAll;
      }
    }
  }
  return kAll;
}
`;

/** What is asked of a set: `at` are the operands of the expression, in order; `row` is the flat place of a row before words. */
export function setRead(
  op: SetOp,
  table: CudaTable,
  at: readonly Fragment[],
  place: (indices: readonly Fragment[]) => Fragment,
): Fragment {
  const words = table.extentText.at(-1)!;
  if (op === "any" || op === "all") {
    const rows = (at.length - 2) / 2;
    const list = (of: readonly Fragment[]): Fragment =>
      c`lctx_corner<${rows + 1}>{{${joinFragments(of, c`, `)}}}`;
    const low = list([...at.slice(0, rows), at.at(-1)!]);
    const high = list(at.slice(rows, -1));
    const corners = joinFragments([list(table.extentText), low, high], c`, `);
    return c`lctx_members<${op === "all" ? c`true` : c`false`}, ${rows + 1}>(${table.base}, ${corners})`;
  }
  const row = c`${table.base} + ${place(at.slice(0, -1))} * ${words}`;
  return c`lctx_${op === "member" ? c`member` : c`rank`}(${row}, ${words}, ${at.at(-1)!})`;
}
