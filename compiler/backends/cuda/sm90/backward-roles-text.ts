/** Text of the backward kernel's helpers: the warp that loads steps in order, and the threads that add query gradients. */
import { c, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { backwardLayout, type BackwardOptions } from "./backward-shape.ts";
import { chunks } from "./forward-shape.ts";
import { pick, regionName } from "./region-names.ts";
import { range } from "./wgmma.ts";

const loads = (
  map: Fragment,
  to: Fragment,
  pieces: number,
  rows: number,
  bar: Fragment,
  hint: Fragment,
  at: Fragment,
): Fragment =>
  joinFragments(
    range(pieces).map(
      (n) => c`lctx_load_tile(${to} + ${n * rows * 128}, &${map}, ${bar}, ${64 * n}, ${at}, ${hint});`,
    ),
    c`
          `,
  );

/** `lctx_turn`: how many blocks of keys add to a block of queries before block n, those ahead of it; -1 when n does not. */
export const turnText = ({ tile }: BackwardOptions): Fragment => c`
LCTX_DEVICE int lctx_turn(const lctx_pairs &p, int b, int h, int q0, int q1, int n) {
  const lctx_ranges r = lctx_key_ranges(p, b, h, q0, q1, ${tile.keys});
  if (!lctx_within(r, n)) return -1;
  int ahead = 0, at = 0;
#pragma unroll
  for (int i = 0; i < LCTX_MOST_RANGES; i++)
    if (i < r.count && at < n) {
      const int from = lctx_next_block(r, at);
      if (from == LCTX_NO_BLOCK) break;
      int to = from;
#pragma unroll
      for (int x = 0; x < LCTX_MOST_RANGES; x++)
        if (x < r.count && from >= r.from[x] && from < r.to[x]) to = max(to, r.to[x]);
      ahead += max(0, min(to, n) - min(from, n));
      at = to;
    }
  return ahead;
}
`;

/** `lctx_top_step`: the last step that sees the block of keys from k0 on, or the last of all. Only the order hangs on it. */
export const topText = ({ tile }: BackwardOptions): Fragment => c`
LCTX_DEVICE int lctx_top_step(const lctx_pairs &p, int b, int h, int k0, int keys, int steps) {
  if (k0 >= keys) return steps - 1;
  const lctx_ranges r = lctx_query_ranges(p, b, h, k0, min(k0 + ${tile.keys}, keys) - 1, ${tile.rows});
  const int top = lctx_previous_block(r, steps - 1);
  return top < 0 ? steps - 1 : top;
}
`;

/** The warp that loads: keys and values once, then for each region and head of the group the steps of queries that see them. */
export function loaderText({ shape, regions, tile, sparse, levels }: BackwardOptions): Fragment {
  const { heads, groups, d, e } = shape;
  const layout = backwardLayout(shape, tile, regions);
  const several = regions > 1;
  const when = (text: Fragment, otherwise: Fragment = c``): Fragment => (several ? text : otherwise);
  const keyLoads = (n: number): Fragment => {
    const bar = several ? c`KEYS_FULL(${n})` : c`KEYS_FULL`;
    const to = c`shared + ${layout.key + n * layout.keyBytes}`;
    return loads(
      regionName("keys_map", n),
      to,
      layout.keyChunks,
      tile.keys,
      bar,
      c`LCTX_READ_ONCE`,
      c`g, k0, b`,
    );
  };
  const more = range(regions, 1).map(
    (n) => c`
      lctx_expect(KEYS_FULL(${n}), ${layout.keyBytes});
      ${keyLoads(n)}`,
  );
  const firstKeys = several ? c`KEYS_FULL(0)` : c`KEYS_FULL`;
  const row = (step: Fragment): Fragment => c`seen_blocks + (size_t)(seen_row + ${step}) * words`;
  // Turns of a step that is taken: known from the ranges, or counted among the blocks before this one.
  const turn = sparse
    ? c`const int next_turn = some_steps ? lctx_blocks_before(${row(c`(next >> 1)`)}, n, lane) : 0;`
    : c`const int next_turn = __shfl_sync(0xffffffffu, turn, bit);`;
  const taken = sparse
    ? c`const bool some = !end && place < steps_all && ((${row(c`m`)})[n >> 5] >> (n & 31) & 1);`
    : c`const int turn = !end && place < steps_all ? lctx_turn(p, b, h, q0, q1, n) : -1;
          const bool some = turn >= 0;`;
  return c`
    const int lane = threadIdx.x;
    if (lane == 0) {
      lctx_expect(${firstKeys}, ${layout.keyBytes + layout.valueBytes});
      ${keyLoads(0)}
      ${loads(c`values_map`, c`shared + ${layout.value}`, chunks(e), tile.keys, firstKeys, c`LCTX_READ_ONCE`, c`g, k0, b`)}${joinFragments(more, c``)}
    }
    int at = 0, opened = 0, found = -1, found_head = 0, found_turn = 0;
    u32 phase = 0;
    /*
     * Steps go from the last queries that the next block of keys adds to down to the first, as those after it will, then
     * up from there; in lots of 32, chosen by the same test as steps.
     */
    const int steps_all = padded / ${tile.rows};
${when(c`#pragma unroll 1
    for (int region = 0; region < ${regions}; region++) {
    p.region = region;
    opened = 0;
`)}#pragma unroll 1
    for (int member = 0; member <= ${heads / groups}; member++) {
      const bool end = member == ${heads / groups};
      const int h = g * ${heads / groups} + member;
${sparse ? c`      const u32 seen_row = (${when(c`(region * batch + b)`, c`b`)} * block_heads + min(h, block_heads - 1)) * steps_all;\n` : c``}      const int top = end ? 0 : lctx_top_step(p, b, h, k1 + 1, keys, steps_all);
#pragma unroll 1
      for (int lot = 0; (lot < steps_all && !end) || lot == 0; lot += 1024) {
        const int lot_at = lot + 32 * lane, lot_end = min(lot_at + 31, steps_all - 1);
        const int lot_first = lot_at > top ? lot_at : max(top - lot_end, 0);
        const int lot_last = lot_end > top ? lot_end : top - lot_at;
        const bool touched = !end && lot_at < steps_all && lctx_turn(p, b, h, start + lot_first * ${tile.rows},
            start + min((lot_last + 1) * ${tile.rows}, queries) - 1, n) >= 0;
        u32 lots = __ballot_sync(0xffffffffu, touched) | (end ? 1u : 0u);
#pragma unroll 1
        for (; lots; lots &= lots - 1) {
          const int from = lot + 32 * (__ffs(lots) - 1), place = from + lane;
          const int m = place > top ? place : top - place, q0 = start + m * ${tile.rows}, full1 = q0 + ${tile.rows - 1};
          const int q1 = min(full1, start + queries - 1);
          ${taken}
          const bool open = some && k1 < keys && full1 == q1 && ${levels === null ? c`lctx_all` : c`lctx_far`}(p, b, h, q0, q1, k0, k1);
          u32 some_steps = __ballot_sync(0xffffffffu, some);
          const u32 open_steps = __ballot_sync(0xffffffffu, open);
          while (some_steps || (end && found >= 0) || (end && !opened)) {
            const int bit = (__ffs(some_steps) - 1) & 31;
            const int next = some_steps ? 2 * (from + bit > top ? from + bit : top - from - bit) + !(open_steps >> bit & 1) : -1;
            ${turn}
            some_steps &= some_steps - 1;
            if (found < 0 && end) {
              /* Nothing sees these keys. */
              opened = 1;
${when(
  c`              if (lane == 0) {
                lctx_wait(QUERY_FREE(at), phase ^ 1);
                steps[at] = make_int4(0, 0, 8, 0);
                lctx_arrive(QUERY_FULL(at));
                lctx_wait(OUT_FREE(at), phase ^ 1);
                lctx_arrive(OUT_FULL(at));
              }
              if (++at == ${tile.stages}) at = 0, phase ^= 1;
`,
  c`              if (lane == 0) {
                steps[0] = make_int4(0, 0, 8, 0);
                lctx_arrive(QUERY_FULL(0));
              }
`,
)}            }
            if (found >= 0) opened = 1;
            if (found >= 0 && lane == 0) {
              const int z = (found >> 1) * ${tile.rows};
              const size_t row = ((size_t)b * ${heads} + found_head) * padded + z;
              lctx_wait(QUERY_FREE(at), phase ^ 1);
              steps[at] = make_int4(found >> 1, found_head, (next < 0 ? 2 : 0) + (found & 1), found_turn);
              lctx_expect(QUERY_FULL(at), ${layout.queryBytes + 4 * tile.rows});${when(c`
              const lctx_map &map = ${pick("queries_map", regions, c`region`)};`)}
          ${loads(several ? c`map` : c`queries_map`, c`shared + ${layout.query} + at * ${layout.queryBytes}`, chunks(d), tile.rows, c`QUERY_FULL(at)`, c`LCTX_READ_OFTEN`, c`found_head, z, b`)}
              lctx_load_row(shared + ${layout.rows} + at * ${8 * tile.rows}, powers + row, ${4 * tile.rows}, QUERY_FULL(at));
              lctx_wait(OUT_FREE(at), phase ^ 1);
              lctx_expect(OUT_FULL(at), ${layout.outBytes + 4 * tile.rows});
          ${loads(c`outs_map`, c`shared + ${layout.out} + at * ${layout.outBytes}`, chunks(e), tile.rows, c`OUT_FULL(at)`, c`LCTX_READ_OFTEN`, c`found_head, z, b`)}
              lctx_load_row(shared + ${layout.rows} + at * ${8 * tile.rows} + ${4 * tile.rows}, deltas + row, ${4 * tile.rows}, OUT_FULL(at));
            }
            if (found >= 0 && ++at == ${tile.stages}) at = 0, phase ^= 1;
            found = next;
            found_head = h;
            found_turn = next_turn;
          }
        }
      }
    }
${when(c`    }
`)}    return;`;
}

/**
 * Two threads that add the shares of query gradients to device memory, one those of even steps and one those of odd
 * ones: while one waits until its sums are there for others to see, the other starts. The first addition only stores.
 * The note of a share of region n counts heads from n · batch · heads, where that region's sums and turns lie.
 */
export function adderText({ shape, regions, tile, ordered }: BackwardOptions): Fragment {
  const { heads } = shape;
  const layout = backwardLayout(shape, tile, regions);
  const wait = ordered
    ? c`
        if (w == 0) {
          /* A turn that never comes would be a mistake in this kernel: an error then, not a program that hangs. */
          int passed, patience = 1 << 26;
          do asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(passed) : "l"(turns + place) : "memory");
          while (passed != step.w && --patience);
          if (!patience) __trap();
          asm volatile("fence.proxy.async;" ::: "memory");
        }`
    : c``;
  const add = c`lctx_add_bulk(to, from, ${layout.gradientBytes});`;
  return c`
    if (threadIdx.x != 32 && threadIdx.x != 64) return;
    const int odd = threadIdx.x == 64;
    u32 phase = 0;
    for (;;) {
      int4 step;
      size_t place;
#pragma unroll
      for (int w = 0; w < 2; w++) {
        lctx_wait(SHARE_FULL(odd, w), phase);
        const volatile int4 &note = shares[2 * odd + w];
        step.x = note.x, step.y = note.y, step.z = note.z, step.w = note.w;
        if (step.z & 4) return;
        place = ((size_t)b * ${heads} + step.y) * (padded / ${tile.rows}) + step.x;${wait}
        float *to = sums + place * ${layout.gradientBytes / 2} + w * ${layout.gradientBytes / 4};
        const u32 from = shared + ${layout.gradient} + w * ${layout.gradientBytes};
        ${
          ordered
            ? c`if (step.w == 0) lctx_store_bulk(to, from, ${layout.gradientBytes});
        else ${add}`
            : add
        }
        lctx_bulk_commit();
        lctx_bulk_wait_read();
        lctx_arrive(SHARE_FREE(w));
      }
      lctx_bulk_wait();
      asm volatile("fence.proxy.async;" ::: "memory");
      asm volatile("red.release.gpu.global.add.s32 [%0], 1;" ::"l"(turns + place) : "memory");
      phase ^= 1;
    }`;
}
