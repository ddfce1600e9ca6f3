/** Device text that lists the blocks of keys a tile of packed query rows may see, so that they can be dealt out evenly. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * Parts are counted from 0: first the blocks of keys before the text, then those of keys that may be seen, in order.
 * `lctx_find_seen` (one thread) fills the list for query positions q0 … q1 and all query heads of key-value head g;
 * `lctx_next_part` is the first part of n, n + by, … that may have something to show.
 */
export const seenText: Fragment = c`
struct lctx_seen {
  int early, parts, runs, from[LCTX_MOST_RANGES], count[LCTX_MOST_RANGES];
};
LCTX_DEVICE void lctx_add_run(lctx_seen *to, int from, int end) {
  to->from[to->runs] = from, to->count[to->runs] = end - from;
  to->runs++, to->parts += end - from;
}
LCTX_DEVICE void lctx_find_seen(lctx_seen *to, const lctx_pairs &p, int b, int g, int q0, int q1, int early) {
  to->early = to->parts = (early + kKeys - 1) / kKeys, to->runs = 0;
  if (kAskedHeads > 1) {
    /* Heads see different keys: one run around all; blocks in it that no head sees are left out one by one. */
    int from = LCTX_NO_BLOCK, end = 0;
#pragma unroll 1
    for (int j = 0; j < kAskedHeads; j++) {
      const lctx_ranges r = lctx_key_ranges(p, b, g * kAskedHeads + j, q0, q1, kKeys);
      from = min(from, lctx_next_block(r, 0)), end = max(end, lctx_previous_block(r, LCTX_NO_BLOCK - 1) + 1);
    }
    if (from < end) lctx_add_run(to, from, end);
    return;
  }
  const lctx_ranges r = lctx_key_ranges(p, b, g * (kHeads / kGroups), q0, q1, kKeys);
#pragma unroll 1
  for (int at = lctx_next_block(r, 0); at != LCTX_NO_BLOCK;) {
    int end = at + 1;
    for (bool more = true; more;) {
      more = false;
#pragma unroll
      for (int i = 0; i < LCTX_MOST_RANGES; i++)
        if (i < r.count && r.from[i] <= end && r.to[i] > end) end = r.to[i], more = true;
    }
    lctx_add_run(to, at, end);
    at = lctx_next_block(r, end);
  }
}
/* The block of keys that part n is, n >= early. */
LCTX_DEVICE int lctx_seen_block(const lctx_seen *seen, int n) {
  int i = 0;
  n -= seen->early;
  while (n >= seen->count[i]) n -= seen->count[i++];
  return seen->from[i] + n;
}
LCTX_DEVICE bool lctx_any_head(const lctx_pairs &p, int b, int g, int q0, int q1, int k0, int k1) {
  bool any = false;
#pragma unroll 1
  for (int j = 0; j < kAskedHeads; j++) any = any || lctx_any(p, b, g * (kHeads / kGroups) + j, q0, q1, k0, k1);
  return any;
}
LCTX_DEVICE bool lctx_all_heads(const lctx_pairs &p, int b, int g, int q0, int q1, int k0, int k1) {
  bool all = true;
#pragma unroll 1
  for (int j = 0; j < kAskedHeads; j++) all = all && lctx_all(p, b, g * (kHeads / kGroups) + j, q0, q1, k0, k1);
  return all;
}
/* The region of every pair of a block and every head, or -1. */
LCTX_DEVICE int lctx_heads_region(const lctx_pairs &p, int b, int g, int q0, int q1, int k0, int k1) {
  if (kRegions == 1) return 0;
  const int region = lctx_block_region(p, b, g * (kHeads / kGroups), q0, q1, k0, k1);
#pragma unroll 1
  for (int j = 1; j < kAskedHeads; j++)
    if (lctx_block_region(p, b, g * (kHeads / kGroups) + j, q0, q1, k0, k1) != region) return -1;
  return region;
}
LCTX_DEVICE int lctx_next_part(const lctx_seen *seen, const lctx_pairs &p, int b, int g, int q0, int q1, int keys, int n,
                               int by) {
  if (kAsksAny)
    while (n >= seen->early && n < seen->parts) {
      /* Each lane asks about a part of its own. */
      const int own = n + lctx_lane() * by;
      bool some = false;
      if (own < seen->parts) {
        const int k0 = lctx_seen_block(seen, own) * kKeys;
        some = lctx_any_head(p, b, g, q0, q1, k0, min(k0 + kKeys, keys) - 1);
      }
      const unsigned found = __ballot_sync(0xffffffffu, some);
      n += (found ? __ffs((int)found) - 1 : 32) * by;
      if (found) break;
    }
  return n;
}
`;
