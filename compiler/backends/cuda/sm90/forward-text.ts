/** Text of the forward kernel: a warp that loads tiles, and warpgroups that overlap products with soft-max. */
import { c, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { sinkText } from "../attention/sink.ts";
import { blockRangesText, keyText, scoresText, softmaxText, writeRowsText } from "./forward-rows-text.ts";
import { levelsForwardText } from "./levels-forward-text.ts";
import { pick, regionNames } from "./region-names.ts";
import { chunks, forwardLayout, type ForwardOptions } from "./forward-shape.ts";
import { ptxText } from "./ptx.ts";
import { productText, range, waitText } from "./wgmma.ts";

/**
 * The kernel. Parameters: maps of queries, keys and values, output, log-sum-exp, ticket counter, sizes, hooks.
 *
 * Who waits for whom. A tile is 64 · workers queries of a head. The loading warp fills a ring of query blocks and one of
 * stages, keys and values apart; FULL barriers are completed by the bytes that come, FREE ones by all computing warps. Key
 * blocks are loaded one ahead of their values. A note beside each stage says which block it holds, whether pairs must be
 * checked, and whether it is the tile's last.
 *
 * With several regions a tile visits, region after region, the blocks that hold pairs of that region, with that region's
 * queries and keys; \`lctx_see\` then hides the pairs of other regions. So a block that one region holds wholly costs one
 * product, and one on a border is visited by each region that has a part in it. All visits of a tile share one running
 * soft-max and are overlapped like any others. A note names the region: where it is another than the block's before, the
 * computing warps free their query block and go on to the next of the ring, which the loading warp filled just before that
 * block's keys. It can: the block of the ring that it waits for was used two regions ago or earlier, and is freed
 * when the warps come upon the keys of the region after it, loaded before the wait. Hence the ring of two or more.
 */
export function forwardText(options: ForwardOptions): Fragment {
  const { entry, shape, regions, tile, element, pairs, levels } = options;
  const { heads, groups, d, e } = shape;
  const layout = forwardLayout(shape, tile, regions);
  const [s, o] = [tile.keys / 2, e / 2];
  const workers = tile.rows / 64;
  const { stages } = tile;
  const { queryStages } = layout;
  const notes = c`((volatile int *)(base + ${layout.notes}))`;
  const turn = (text: Fragment): Fragment => (tile.turns ? text : c``);
  /** Text that only one region or only several need. */
  const several = regions > 1;
  const when = (text: Fragment, otherwise: Fragment = c``): Fragment => (several ? text : otherwise);
  // Bits of a note below the number of the block.
  const low = 2 + Math.ceil(Math.log2(regions));
  const queryMap = pick("queries_map", regions, c`query_region`);
  const keyMap = pick("keys_map", regions, c`found_region`);
  const loads = (
    map: Fragment,
    to: Fragment,
    columns: number,
    rows: number,
    at: Fragment,
    hint: Fragment,
  ): Fragment =>
    joinFragments(
      range(chunks(columns)).map(
        (n) => c`lctx_load_tile(${to} + ${n * rows * 128}, &${map}, ${at}, ${64 * n}, y, z, b, ${hint});\n`,
      ),
      c`        `,
    );
  const loadQueries = c`                lctx_expect(QUERY_FULL(query_at), ${layout.queryBytes});
                const int y = h, z = m * ${tile.rows};
                const u32 to = shared + ${layout.query} + query_at * ${layout.queryBytes};${when(c`
                const lctx_map &map = ${queryMap};`)}
        ${loads(several ? c`map` : c`queries_map`, c`to`, d, tile.rows, c`QUERY_FULL(query_at)`, c`LCTX_READ_ONCE`)}`;
  const firstKey = c`((note) >> ${low}) * ${tile.keys} + 2 * quad`;
  const takeScores =
    levels === null
      ? c`#define LCTX_TAKE_SCORES(note)                                                                  \
  if ((note) & 1) lctx_guarded_scores(p, s, b, h, q0, q1, ${firstKey}, keys); \
  else lctx_scores(p, s, b, h, q0, q1, ${firstKey});                       \
  lctx_weights(s, x);
`
      : c`#define LCTX_TAKE_SCORES(note)                                                                  \
  if ((note) & 1) lctx_near_weights(p, s, x, b, h, q0, q1, ${firstKey}, keys); \
  else lctx_far_weights(s, x);
`;
  return c`${ptxText(element)}
${productText({ name: c`lctx_logits`, columns: tile.keys, left: "rows", right: "rows" }, element)}
${productText({ name: c`lctx_values`, columns: e, left: "registers", right: "columns" }, element)}
${waitText(c`lctx_logits_done`, s, 0)}${waitText(c`lctx_logits_first`, s, 1)}${waitText(c`lctx_values_done`, o, 0)}
${keyText}${pairs.functions}${pairs.sinks ? sinkText : c``}${blockRangesText}${levels === null ? scoresText(options) : c``}${softmaxText(options)}${levels === null ? c`` : c`${levels.cases}${levelsForwardText(levels, tile)}`}${writeRowsText(c`lctx_write_rows`, e)}
#define QUERY_FULL(n) (bars + 8 * (n))
#define QUERY_FREE(n) (bars + ${8 * queryStages} + 8 * (n))
#define KEY_FULL(n) (bars + ${16 * queryStages} + 8 * (n))
#define KEY_FREE(n) (bars + ${16 * queryStages + 8 * stages} + 8 * (n))
#define VALUE_FULL(n) (bars + ${16 * queryStages + 16 * stages} + 8 * (n))
#define VALUE_FREE(n) (bars + ${16 * queryStages + 24 * stages} + 8 * (n))
/* Of each block of queries: tile (-1: no more) and whether it sees keys. Of each stage: the block of keys. */
#define NOTES_OF_STAGE (notes + ${2 * queryStages})

/* A block of keys as the loading warp notes it: ${1 << low} * block + ${when(c`4 * region + `)}2 (the last one) + 1 (pairs must be checked). */${when(c`
#define LCTX_REGION_OF(note) ((note) >> 2 & ${(1 << (low - 2)) - 1})`)}
LCTX_DEVICE void lctx_load_keys(const lctx_map &keys, u32 shared, u32 bars, volatile int *notes, int at, u32 phase,
                                int note, int y, int b) {
  lctx_wait(KEY_FREE(at), phase ^ 1);
  NOTES_OF_STAGE[at] = note;
  lctx_expect(KEY_FULL(at), ${layout.keyBytes});
  const int z = (note >> ${low}) * ${tile.keys};
  const u32 to = shared + ${layout.key} + at * ${layout.keyBytes};
        ${loads(c`keys`, c`to`, d, tile.keys, c`KEY_FULL(at)`, c`LCTX_READ_OFTEN`)}}
LCTX_DEVICE void lctx_load_values(const lctx_map &values, u32 shared, u32 bars, int at, u32 phase, int block, int y,
                                  int b) {
  lctx_wait(VALUE_FREE(at), phase ^ 1);
  lctx_expect(VALUE_FULL(at), ${layout.valueBytes});
  const int z = block * ${tile.keys};
  const u32 to = shared + ${layout.value} + at * ${layout.valueBytes};
        ${loads(c`values`, c`to`, e, tile.keys, c`VALUE_FULL(at)`, c`LCTX_READ_OFTEN`)}}

extern "C" __global__ void __launch_bounds__(${layout.threads}, 1) ${entry}(
    ${pairs.parameters}${regionNames(regions, (name) => c`const __grid_constant__ lctx_map ${name}, `, ["queries_map", "keys_map"])}
    const __grid_constant__ lctx_map values_map, unsigned short *output, float *lse, int *counter, int batch,
    int queries, int keys, int start, int band) {
  extern __shared__ char raw[];
  ${pairs.build}
  char *base = raw + ((1024 - (lctx_shared(raw) & 1023)) & 1023);
  const u32 shared = lctx_shared(base), bars = shared + ${layout.barriers};
  volatile int *notes = ${notes};
  const int group = __shfl_sync(0xffffffffu, threadIdx.x / 128, 0);
  const int blocks = (queries + ${tile.rows - 1}) / ${tile.rows}, rows = batch * ${heads}, tiles = blocks * rows;
  if (threadIdx.x == 0) {
    ${regionNames(regions, (name) => c`lctx_prefetch_map(&${name}), `, ["queries_map", "keys_map"])}lctx_prefetch_map(&values_map);
    for (int n = 0; n < ${queryStages}; n++)
      lctx_barrier_init(QUERY_FULL(n), 1), lctx_barrier_init(QUERY_FREE(n), ${4 * workers} * LCTX_ARRIVING);
    for (int n = 0; n < ${stages}; n++) {
      lctx_barrier_init(KEY_FULL(n), 1), lctx_barrier_init(KEY_FREE(n), ${4 * workers} * LCTX_ARRIVING);
      lctx_barrier_init(VALUE_FULL(n), 1), lctx_barrier_init(VALUE_FREE(n), ${4 * workers} * LCTX_ARRIVING);
    }
    lctx_barriers_ready();
  }
  __syncthreads();

  if (group == 0) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 ${tile.registers[0]};");
    if (threadIdx.x >= 32) return;
    const int lane = threadIdx.x;
    int tile = blockIdx.x, at = 0, query_at = 0;
    u32 phase = 0, query_phase = 0;
    for (;;) {
      if (lane == 0) lctx_wait(QUERY_FREE(query_at), query_phase ^ 1);
      __syncwarp();
      if (tile >= tiles) {
        if (lane == 0) {
          notes[2 * query_at] = -1;
          lctx_arrive(QUERY_FULL(query_at));
        }
        break;
      }
      const int whole = band * blocks, lot = tile / whole, in_lot = tile % whole;
      const int lot_rows = min(band, rows - lot * band);
      const int m = blocks - 1 - in_lot / lot_rows, row = lot * band + in_lot % lot_rows;
      const int b = row / ${heads}, h = row % ${heads}, y = h / ${heads / groups};
      const int q0 = start + m * ${tile.rows}, q1 = min(q0 + ${tile.rows}, start + queries) - 1;
${when(c`      p.region = 0;
`)}      ${when(c``, c`const `)}lctx_ranges ranges = lctx_key_ranges(p, b, h, q0, q1, ${tile.keys});
      /* The block found but not loaded yet, and the one whose values are not loaded yet. */
      int found = -1, behind = -1, opened = 0, last_at = 0;${when(c`
      /* Regions of the block found, and of the queries loaded last. */
      int found_region = 0, query_region = 0;`)}
      u32 last_phase = 0;
      int from = lctx_next_block(ranges, 0);
      for (;;) {${when(c`
        while (from == LCTX_NO_BLOCK && p.region < ${regions - 1}) {
          p.region++;
          ranges = lctx_key_ranges(p, b, h, q0, q1, ${tile.keys});
          from = lctx_next_block(ranges, 0);
        }`)}
        const bool end = from == LCTX_NO_BLOCK;
        const int block = from + lane, k0 = block * ${tile.keys}, k1 = k0 + ${tile.keys - 1};
        const bool some = !end && lctx_within(ranges, block)${pairs.asksAny ? c` && lctx_any(p, b, h, q0, q1, k0, min(k1, keys - 1))` : c``};
        const bool open = some && k1 < keys && ${levels === null ? c`lctx_all` : c`lctx_far`}(p, b, h, q0, q1, k0, k1);
          u32 some_blocks = __ballot_sync(0xffffffffu, some);
          const u32 open_blocks = __ballot_sync(0xffffffffu, open);
          while (some_blocks || (end && found >= 0) || (end && !opened)) {
            const int bit = __ffs(some_blocks) - 1;
            const int next = some_blocks ? 2 * (from + bit) + !(open_blocks >> bit & 1) : -1;
            some_blocks &= some_blocks - 1;
            if (!opened && (found >= 0 || end)) {
              opened = 1;${when(c`
              query_region = found_region;`)}
              if (lane == 0) {
                notes[2 * query_at] = tile;
                notes[2 * query_at + 1] = found >= 0;
${loadQueries}              }
            }${when(c`
            if (found >= 0 && found_region != query_region) {
              /* The region's queries, in the next block of the ring. */
              query_region = found_region;
              if (++query_at == ${queryStages}) query_at = 0, query_phase ^= 1;
              if (lane == 0) {
                lctx_wait(QUERY_FREE(query_at), query_phase ^ 1);
${loadQueries}              }
            }`)}
            if (found >= 0) {
              if (lane == 0) {
                lctx_load_keys(${several ? keyMap : c`keys_map`}, shared, bars, notes, at, phase,
                               (found >> 1) * ${1 << low} + ${when(c`4 * found_region + `)}(next < 0 ? 2 : 0) + (found & 1), y, b);
                if (behind >= 0) lctx_load_values(values_map, shared, bars, last_at, last_phase, behind, y, b);
              }
              behind = found >> 1;
              last_at = at;
              last_phase = phase;
              if (++at == ${stages}) at = 0, phase ^= 1;
            }
            found = next;${when(c`
            found_region = p.region;`)}
          }
        if (end) break;
        from = lctx_next_block(ranges, from + 32);
      }
      if (behind >= 0 && lane == 0) lctx_load_values(values_map, shared, bars, last_at, last_phase, behind, y, b);
      if (lane == 0) tile = (int)gridDim.x + atomicAdd(counter, 1);
      tile = __shfl_sync(0xffffffffu, tile, 0);
      if (++query_at == ${queryStages}) query_at = 0, query_phase ^= 1;
    }
    return;
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 ${tile.registers[1]};");
  const int worker = group - 1, thread = threadIdx.x & 127, lane = thread & 31, quad = lane & 3;
  const int own_row = worker * 64 + (thread >> 5) * 16 + (lane >> 2);
  ${turn(c`const int turn = 1 + worker, next_turn = 1 + (worker + 1) % ${workers};
  if (worker == 0) lctx_announce(1, 256);`)}
  const u64 query_tile = lctx_tile(shared + ${layout.query} + worker * 8192, 0);
  const u64 key_tile = lctx_tile(shared + ${layout.key}, 0);
  const u64 value_tile = lctx_tile(shared + ${layout.value}, ${tile.keys * 128});
  int at = 0, query_at = 0;
  u32 phase = 0, query_phase = 0;
  float s[${s}], o[${o}];
  u32 w[${tile.keys / 4}];
  for (;;) {
    lctx_wait(QUERY_FULL(query_at), query_phase);
    const int tile = notes[2 * query_at], some = notes[2 * query_at + 1];
    if (tile < 0) break;
    const int whole = band * blocks, lot = tile / whole, in_lot = tile % whole;
    const int lot_rows = min(band, rows - lot * band);
    const int m = blocks - 1 - in_lot / lot_rows, row = lot * band + in_lot % lot_rows;
    const int b = row / ${heads}, h = row % ${heads};
    const int first = m * ${tile.rows} + own_row, last = start + queries - 1;
    const int q0 = min(start + first, last), q1 = min(start + first + 8, last);
    lctx_state x = {-LCTX_INF, -LCTX_INF, 0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < ${o}; i++) o[i] = 0.0f;
#define LCTX_ISSUE_LOGITS(n)                                                                    \
  lctx_mma_begin();                                                                             \
  _Pragma("unroll") for (int k = 0; k < ${d / 16}; k++) lctx_logits(                                   \
      s, query_tile + (u64)query_at * ${layout.queryBytes / 16} + ((k / 4) * ${tile.rows * 128} + (k % 4) * 32) / 16,                              \
      key_tile + (u64)(n) * ${layout.keyBytes / 16} + ((k / 4) * ${tile.keys * 128} + (k % 4) * 32) / 16, k > 0); \
  lctx_mma_commit();
#define LCTX_ISSUE_VALUES(n)                                                                    \
  lctx_mma_begin();                                                                             \
  _Pragma("unroll") for (int k = 0; k < ${tile.keys / 16}; k++) lctx_values(o, w[4 * k], w[4 * k + 1], w[4 * k + 2], \
      w[4 * k + 3], value_tile + (u64)(n) * ${layout.valueBytes / 16} + k * 128, 1);                  \
  lctx_mma_commit();
#define LCTX_FREE(bar)                                                                          \
  __syncwarp();                                                                                 \
  if (lane < LCTX_ARRIVING) lctx_arrive(bar);
${takeScores}#define LCTX_PACK_WEIGHTS                                                                       \
  _Pragma("unroll") for (int i = 0; i < ${tile.keys / 4}; i++) w[i] = lctx_pack(s[2 * i], s[2 * i + 1]);
    if (some) {
      lctx_wait(KEY_FULL(at), phase);
      int note = NOTES_OF_STAGE[at];${when(c`
      p.region = LCTX_REGION_OF(note);`)}
      LCTX_ISSUE_LOGITS(at)
      lctx_logits_done(s);
      LCTX_FREE(KEY_FREE(at))
      LCTX_TAKE_SCORES(note)
      LCTX_PACK_WEIGHTS
      while (!(note & 2)) {
        const int before = at;
        const u32 before_phase = phase;
        if (++at == ${stages}) at = 0, phase ^= 1;
        lctx_wait(KEY_FULL(at), phase);
        note = NOTES_OF_STAGE[at];${when(c`
        if (LCTX_REGION_OF(note) != p.region) {
          /* All products with the queries before are done: the wait for their logits was above. */
          p.region = LCTX_REGION_OF(note);
          LCTX_FREE(QUERY_FREE(query_at))
          if (++query_at == ${queryStages}) query_at = 0, query_phase ^= 1;
          lctx_wait(QUERY_FULL(query_at), query_phase);
        }`)}
        ${turn(c`lctx_meet(turn, 256);`)}
        LCTX_ISSUE_LOGITS(at)
        lctx_wait(VALUE_FULL(before), before_phase);
        LCTX_ISSUE_VALUES(before)
        ${turn(c`lctx_announce(next_turn, 256);`)}
        lctx_logits_first(s);
        LCTX_FREE(KEY_FREE(at))
        LCTX_TAKE_SCORES(note)
        lctx_values_done(o);
        LCTX_FREE(VALUE_FREE(before))
        lctx_fade(o, x);
        LCTX_PACK_WEIGHTS
      }
      LCTX_FREE(QUERY_FREE(query_at))
      lctx_wait(VALUE_FULL(at), phase);
      LCTX_ISSUE_VALUES(at)
      lctx_values_done(o);
      LCTX_FREE(VALUE_FREE(at))
      if (++at == ${stages}) at = 0, phase ^= 1;
    } else {
      LCTX_FREE(QUERY_FREE(query_at))
    }
    float sum0 = lctx_row_sum(x.sum0), sum1 = lctx_row_sum(x.sum1), alpha0 = 1.0f, alpha1 = 1.0f;
    float most0 = x.most0 * LCTX_EXPONENT, most1 = x.most1 * LCTX_EXPONENT;${
      pairs.sinks
        ? c`
    alpha0 = lctx_add_sink(p, b, h, q0, most0, sum0), alpha1 = lctx_add_sink(p, b, h, q1, most1, sum1);`
        : c``
    }
    const size_t place = ((size_t)b * queries + first) * ${heads} + h;
    const bool in0 = first < queries, in1 = first + 8 < queries;
    if (quad == 0) {
      if (in0) lse[place] = sum0 > 0.0f ? (most0 + lctx_log2(sum0)) * LCTX_LN2 : -LCTX_INF;
      if (in1) lse[place + ${8 * heads}] = sum1 > 0.0f ? (most1 + lctx_log2(sum1)) * LCTX_LN2 : -LCTX_INF;
    }
    unsigned short *to = output + place * ${e};
    lctx_write_rows(in0 ? to : 0, o, 0, sum0 > 0.0f ? alpha0 / sum0 : 0.0f, quad);
    lctx_write_rows(in1 ? to + ${8 * heads * e} : 0, o, 1, sum1 > 0.0f ? alpha1 / sum1 : 0.0f, quad);
    if (++query_at == ${queryStages}) query_at = 0, query_phase ^= 1;
  }
}
`;
}
