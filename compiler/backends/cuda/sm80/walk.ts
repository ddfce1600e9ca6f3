/** Device text that walks the blocks of one side that may be seen, asking for 32 of them at a time. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * `lctx_next_seen<keys sought>(…, from, …)`: the first block ≥ from that may show a pair with positions first … last of
 * the other side. All threads of a block walk together; each lane of a warp asks about a block of its own.
 */
export const walkText: Fragment = c`
/* Which of 32 blocks may be seen, as asked last. */
struct lctx_walk {
  int from;
  unsigned some;
};
LCTX_DEVICE bool lctx_within(const lctx_ranges &r, int block) {
  bool found = false;
#pragma unroll
  for (int i = 0; i < LCTX_MOST_RANGES; i++) found = found || (i < r.count && block >= r.from[i] && block < r.to[i]);
  return found;
}
template <bool kKeysSought>
LCTX_DEVICE int lctx_next_seen(lctx_walk &w, const lctx_pairs &p, const lctx_ranges &r, int b, int h, int first, int last,
                               int from, int size, int count) {
  if constexpr (!kAsksAny) return lctx_next_block(r, from);
  else for (;;) {
    if (from - w.from < 32) {
      const unsigned left = w.some >> (from - w.from);
      if (left) return from + __ffs((int)left) - 1;
      from = w.from + 32;
    }
    from = lctx_next_block(r, from);
    if (from == LCTX_NO_BLOCK) return from;
    w.from = from;
    const int block = from + lctx_lane(), low = block * size, high = min(low + size, count) - 1;
    const bool some = low <= high && lctx_within(r, block) &&
                      (kKeysSought ? lctx_any(p, b, h, first, last, low, high)
                                   : lctx_any(p, b, h, p.start + low, p.start + high, first, last));
    w.some = __ballot_sync(0xffffffffu, some);
  }
}
LCTX_DEVICE lctx_walk lctx_start_walk() { return {-64, 0u}; }
`;
