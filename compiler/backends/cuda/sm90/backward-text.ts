/** Text of the backward kernel: a block of keys and values stays, queries stream past; query gradients leave by bulk addition. */
import { c, realLiteral, type Fragment } from "../../../ir/kernel.ts";
import { trainedText, type TrainedText } from "../attention/trained-tables.ts";
import { adderText, loaderText, topText, turnText } from "./backward-roles-text.ts";
import { blocksBeforeText } from "./backward-blocks-text.ts";
import { backwardLayout, type BackwardOptions } from "./backward-shape.ts";
import { blockRangesText, writeRowsText } from "./forward-rows-text.ts";
import { levelsBackwardText } from "./levels-backward-text.ts";
import { levelsBytes } from "./levels-shape.ts";
import { ptxText } from "./ptx.ts";
import { pick, regionNames } from "./region-names.ts";
import { productText, waitText } from "./wgmma.ts";

/** `lctx_slopes`: weights (in place of logits) and logit gradients (in place of weight gradients) of a step. */
function slopesText({ pairs, scale, tile, looksUp, trains }: BackwardOptions): Fragment {
  const count = tile.rows / 2;
  const loop = (guard: boolean): Fragment => {
    const column = guard ? c`min(q + (i >> 2) * 8 + (i & 1), last)` : c`q + (i >> 2) * 8 + (i & 1)`;
    const inline = guard && !looksUp;
    const place =
      pairs.scored || inline || trains ? c`const int row = ${column}, column = i & 2 ? k + 8 : k;` : c``;
    const exponent = pairs.scored
      ? c`lctx_score(p, s[i] * ${realLiteral(scale)}, b, h, row, column) * LCTX_LOG2E`
      : c`s[i] * ${realLiteral(scale * Math.LOG2E)}`;
    const weight = c`lctx_ex2(${exponent} - (i & 1 ? power.y : power.x))`;
    const slope = pairs.scored ? c` * lctx_slope(p, s[i] * ${realLiteral(scale)}, b, h, row, column)` : c``;
    const seen = inline
      ? c`(column < keys) & lctx_see(p, b, h, row, column) ? ${weight} : 0.0f`
      : guard
        ? c`(i & 2 ? seen1 : seen0) >> ((i >> 2) * 2 + (i & 1)) & 1 ? ${weight} : 0.0f`
        : weight;
    return c`
#pragma unroll
  for (int i = 0; i < ${count}; i++) {
    const float2 power = powers[(i >> 2) * 4], delta = deltas[(i >> 2) * 4];
    ${place}
    const float weight = ${seen};
    const float share = weight * (dp[i] - (i & 1 ? delta.y : delta.x));${trains ? c`\n    lctx_take_share(o, trained, p, 0, share, s[i] * ${realLiteral(scale)}, b, h, row, column);` : c``}
    dp[i] = share${slope};
    s[i] = weight;
  }
`;
  };
  const seen = c`
  u32 seen0 = 0, seen1 = 0;
#pragma unroll 4
  for (int n = 0; n < ${count / 2}; n++) {
    const int row = min(q + (n >> 1) * 8 + (n & 1), last);
    if (k < keys) seen0 |= (u32)lctx_see(p, b, h, row, k) << n;
    if (k + 8 < keys) seen1 |= (u32)lctx_see(p, b, h, row, k + 8) << n;
  }`;
  const signature = c`const lctx_pairs &p, float (&s)[${count}], float (&dp)[${count}], const float2 *powers,
    const float2 *deltas, int b, int h, int q, int k${trains ? c`, lctx_shares &o, const lctx_trained &trained` : c``}`;
  return c`
LCTX_DEVICE void lctx_slopes(${signature}) {${loop(false)}}
LCTX_DEVICE void lctx_guarded_slopes(${signature}, int keys, int last) {${looksUp ? seen : c``}
${loop(true)}}
`;
}

/**
 * The kernel. Parameters: maps, what each query needs, sums of query gradients, key and value gradients, turns, sizes, hooks.
 *
 * Who waits for whom. A block of the grid has 128 keys: two warpgroups with 64 each. The loading warp brings keys and
 * values once and fills a ring of steps: queries with their log-sum-exps (QUERY_FULL, QUERY_FREE) and output gradients with
 * their deltas (OUT_FULL, OUT_FREE). Both warpgroups take every step; each puts its share of the query gradients in memory
 * of its own once that is free (SHARE_FREE), and one of two threads, for even and for odd steps, adds it (SHARE_FULL) when
 * it is this block's turn.
 *
 * With several regions the keys of all stay in shared memory. Steps come region after region: of a region the steps that
 * hold pairs of its own, \`lctx_see\` hiding the others'; a step on a border comes once for each. Value gradients gather over
 * all of them; key gradients are of one region, so at its last step they are written and start at zero again. A region
 * that no query sees takes a place in the ring, with the flag 8 and no bytes, so that stages and phases go on alike for
 * all. Query gradients of each region have sums and turns of their own; turns are still taken in the order of the blocks of
 * keys, so the first block that works waits for none, whatever the order of its steps.
 */
export function backwardText(options: BackwardOptions): Fragment {
  const { entry, shape, regions, tile, element, scale, pairs, sparse, trains, levels } = options;
  const trained: TrainedText = trainedText(pairs, trains ? "score" : null);
  /** The products of key gradients run on while the next step starts, where registers allow. */
  const runsOn = tile.rows === 64 && !trains;
  const shares = trains ? c`, own_shares, trained` : c``;
  const { groups, d, e } = shape;
  const layout = backwardLayout(shape, tile, regions);
  const { stages, rows } = tile;
  /** Text that only several regions need, or only one. */
  const when = (text: Fragment, otherwise: Fragment = c``): Fragment => (regions > 1 ? text : otherwise);
  const bars = 8 * layout.keyBarriers;
  const count = rows / 2;
  const shared = rows === 64;
  const takeSlopes =
    levels === null
      ? c`      if (flags & 1)
        lctx_guarded_slopes(p, s, dp, powers_at, powers_at + ${rows / 2}, b, step.y, q, k0 + own${shares}, keys, start + queries - 1);
      else
        lctx_slopes(p, s, dp, powers_at, powers_at + ${rows / 2}, b, step.y, q, k0 + own${shares});
`
      : c`      if (flags & 1)
        lctx_near_slopes(p, s, dp, powers_at, powers_at + ${rows / 2}, (const float *)(powers_at - quad), levels, b, step.y, q, k0 + own, keys, start + queries - 1);
      else
        lctx_far_slopes(s, dp, powers_at + ${rows / 2}, (const float *)(powers_at - quad), levels);
`;
  const free = (bar: Fragment): Fragment => c`__syncwarp();
      if (lane < LCTX_ARRIVING) lctx_arrive(${bar});`;
  return c`${ptxText(element)}
${productText({ name: c`lctx_pairs_product`, columns: rows, left: "rows", right: "rows" }, element)}
${productText({ name: c`lctx_value_product`, columns: e, left: "registers", right: "columns" }, element)}
${d === e ? c`#define lctx_key_product lctx_value_product` : productText({ name: c`lctx_key_product`, columns: d, left: "registers", right: "columns" }, element)}
${productText({ name: c`lctx_query_product`, columns: 2 * layout.gradientCount, left: "columns", right: "columns" }, element)}
${waitText(c`lctx_pairs_first`, count, 1)}${waitText(c`lctx_pairs_done`, count, 0)}
${waitText(c`lctx_query_first`, layout.gradientCount, 1)}
${waitText(c`lctx_values_done`, e / 2, 0)}${d === e ? c`#define lctx_keys_done lctx_values_done` : waitText(c`lctx_keys_done`, d / 2, 0)}
${pairs.functions}${trains ? trained.functions : c``}${blockRangesText}${sparse ? blocksBeforeText : c``}${turnText(options)}${topText(options)}${levels === null ? slopesText(options) : c`${levels.cases}${levelsBackwardText(levels, options)}`}
${writeRowsText(c`lctx_write_values`, e)}${d === e ? c`#define lctx_write_keys lctx_write_values` : writeRowsText(c`lctx_write_keys`, d)}
#define KEYS_FULL${when(c`(n)`)} (bars${when(c` + 8 * (n)`)})
#define QUERY_FULL(n) (bars + ${bars} + 8 * (n))
#define QUERY_FREE(n) (bars + ${bars + 8 * stages} + 8 * (n))
#define OUT_FULL(n) (bars + ${bars + 16 * stages} + 8 * (n))
#define OUT_FREE(n) (bars + ${bars + 24 * stages} + 8 * (n))
#define SHARE_FREE(n) (bars + ${bars + 32 * stages} + 8 * (n))
#define SHARE_FULL(odd, n) (bars + ${bars + 16 + 32 * stages} + 16 * (odd) + 8 * (n))

extern "C" __global__ void __launch_bounds__(${layout.threads}, 1) ${entry}(
    ${pairs.parameters}${trained.parameters}${regionNames(regions, (name) => c`const __grid_constant__ lctx_map ${name}, `, ["queries_map", "keys_map"])}
    const __grid_constant__ lctx_map values_map, const __grid_constant__ lctx_map outs_map, const float *powers,
    const float *deltas, float *sums, ${regionNames(regions, (name) => c`unsigned short *${name}, `, ["key_gradient"])}unsigned short *value_gradient, int *turns,
    int *counter, ${sparse ? c`const u32 *seen_blocks, int block_heads, int words, ` : c``}int batch, int queries, int keys, int start,
    int padded, int band) {
  extern __shared__ char raw[];
  ${pairs.build}${trains ? c`\n  ${trained.build}` : c``}
  char *base = raw + ((1024 - (lctx_shared(raw) & 1023)) & 1023);
  const u32 shared = lctx_shared(base), bars = shared + ${layout.barriers};
  /* Of each stage: step, head, 2 (the last one) + 1 (pairs must be checked), place in the order. */
  int4 *steps = (int4 *)(base + ${layout.notes});
  volatile int4 *shares = (volatile int4 *)(steps + ${stages});
  volatile int *work = (volatile int *)(steps + ${stages + 4});
  const int group = __shfl_sync(0xffffffffu, threadIdx.x / 128, 0);
  if (threadIdx.x == 0) {
    work[0] = atomicAdd(counter, 1);
    ${regionNames(regions, (name) => c`lctx_prefetch_map(&${name}), `, ["queries_map", "keys_map"])}
    lctx_prefetch_map(&values_map), lctx_prefetch_map(&outs_map);
    ${when(c`for (int n = 0; n < ${regions}; n++) lctx_barrier_init(KEYS_FULL(n), 1);`, c`lctx_barrier_init(KEYS_FULL, 1);`)}
    for (int n = 0; n < ${stages}; n++) {
      lctx_barrier_init(QUERY_FULL(n), 1), lctx_barrier_init(QUERY_FREE(n), 8 * LCTX_ARRIVING);
      lctx_barrier_init(OUT_FULL(n), 1), lctx_barrier_init(OUT_FREE(n), 8 * LCTX_ARRIVING);
    }
    for (int n = 0; n < 2; n++) {
      lctx_barrier_init(SHARE_FULL(0, n), 4 * LCTX_ARRIVING), lctx_barrier_init(SHARE_FULL(1, n), 4 * LCTX_ARRIVING);
      lctx_barrier_init(SHARE_FREE(n), 1);
    }
    lctx_barriers_ready();
  }
  __syncthreads();
  const int blocks = (keys + ${tile.keys - 1}) / ${tile.keys}, key_heads = batch * ${groups};
  const int whole = band * blocks, lot = work[0] / whole, in_lot = work[0] % whole;
  const int lot_heads = min(band, key_heads - lot * band), key_head = lot * band + in_lot % lot_heads;
  const int n = in_lot / lot_heads;
  const int b = key_head / ${groups}, g = key_head % ${groups}, k0 = n * ${tile.keys}, k1 = k0 + ${tile.keys - 1};

  if (group == 0) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 ${tile.registers[0]};");
    if (threadIdx.x < 32) {${loaderText(options)}
    }${adderText(options)}
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 ${tile.registers[1]};");
  const int worker = group - 1, thread = threadIdx.x & 127, warp = thread >> 5, lane = thread & 31, quad = lane & 3;
  const int own = worker * 64 + warp * 16 + (lane >> 2);
  float dk[${d / 2}], dv[${e / 2}];
#pragma unroll
  for (int i = 0; i < ${d / 2}; i++) dk[i] = 0.0f;
#pragma unroll
  for (int i = 0; i < ${e / 2}; i++) dv[i] = 0.0f;
${when(
  c``,
  c`  lctx_wait(KEYS_FULL, 0);
`,
)}  {
    /* Tiles that stay and tiles that move on, from the base of shared memory; this warpgroup's rows, and its half. */
    const u64 still = lctx_tile(shared, ${tile.keys * 128}), moving = lctx_tile(shared, ${rows * 128});
    const u64 own_rows = still + worker * 512, own_half = still + worker * ${tile.keys * 8};
    /* This thread's row of a stored matrix of 8 by 8: the key, and which of two pieces of 8 queries. */
    const int stored = worker * 64 + warp * 16 + (lane & 15), piece = lane >> 4;
    const u32 slope_row = shared + ${layout.slope} + stored * 128;
    float4 *share = (float4 *)(base + ${layout.gradient} + worker * ${layout.gradientBytes}) + thread;
    int at = 0, buffer = 0, flags = 0;${trains ? c`\n    lctx_shares own_shares;\n    lctx_start_shares(own_shares);` : c``}
${
  runsOn
    ? c`    int before = 0, running = 0;
`
    : c``
}
${
  levels === null
    ? c``
    : c`    const lctx_levels levels = lctx_start_levels((float *)(base + ${layout.levels} + worker * ${levelsBytes}), thread, 2 + worker);
`
}    u32 phase = 0, share_phase = 1;
    float s[${count}], dp[${count}], dq[${layout.gradientCount}];
    u32 w[${rows / 4}], ds[${rows / 4}];${when(c`
#pragma unroll 1
    for (int region = 0; region < ${regions}; region++) {
    p.region = region;
    flags = 0;
    lctx_wait(KEYS_FULL(region), 0);
    const u64 region_keys = (u64)region * ${layout.keyBytes / 16};`)}
    while (!(flags & 2)) {
      lctx_wait(QUERY_FULL(at), phase);
      const int4 step = steps[at];
      flags = step.z;
      if (flags & 8) ${when(
        c`{
        lctx_wait(OUT_FULL(at), phase);
        ${free(c`QUERY_FREE(at)`)}
        ${free(c`OUT_FREE(at)`)}
        if (++at == ${stages}) at = 0, phase ^= 1;
        break;
      }`,
        c`break;`,
      )}
      lctx_mma_begin();
#pragma unroll
      for (int k = 0; k < ${d / 16}; k++)
        lctx_pairs_product(s, own_rows + ${when(c`region_keys + `)}(${layout.key} + (k / 4) * ${tile.keys * 128} + (k % 4) * 32) / 16,
                           moving + (u64)at * ${layout.queryBytes / 16} + (${layout.query} + (k / 4) * ${rows * 128} + (k % 4) * 32) / 16, k > 0);
      lctx_mma_commit();
      lctx_wait(OUT_FULL(at), phase);
      lctx_mma_begin();
#pragma unroll
      for (int k = 0; k < ${e / 16}; k++)
        lctx_pairs_product(dp, own_rows + (${layout.value} + (k / 4) * ${tile.keys * 128} + (k % 4) * 32) / 16,
                           moving + (u64)at * ${layout.outBytes / 16} + (${layout.out} + (k / 4) * ${rows * 128} + (k % 4) * 32) / 16, k > 0);
      lctx_mma_commit();
      lctx_pairs_first(s);
${
  runsOn
    ? c`      if (running) {
        ${free(c`QUERY_FREE(before)`)}
      }
`
    : c``
}      lctx_pairs_done(dp);
      const float2 *powers_at = (const float2 *)(base + ${layout.rows} + at * ${8 * rows}) + quad;
      const int q = start + step.x * ${rows} + 2 * quad;
${takeSlopes}#pragma unroll
      for (int i = 0; i < ${rows / 4}; i++) w[i] = lctx_pack(s[2 * i], s[2 * i + 1]);
#pragma unroll
      for (int i = 0; i < ${rows / 4}; i++) ds[i] = lctx_pack(dp[2 * i], dp[2 * i + 1]);
#pragma unroll
      for (int k = 0; k < ${rows / 16}; k++) {
        const u32 to = slope_row + buffer * ${layout.slopeBytes} + (k / 4) * ${tile.keys * 128} + ((((k % 4) * 2 + piece) ^ (stored & 7)) << 4);
        asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(ds[4 * k]),
                     "r"(ds[4 * k + 1]), "r"(ds[4 * k + 2]), "r"(ds[4 * k + 3]) : "memory");
      }
      lctx_mma_begin();
#pragma unroll
      for (int k = 0; k < ${rows / 16}; k++)
        lctx_value_product(dv, w[4 * k], w[4 * k + 1], w[4 * k + 2], w[4 * k + 3],
                           moving + (u64)at * ${layout.outBytes / 16} + ${layout.out / 16} + k * 128, 1);
      lctx_mma_commit();
      lctx_fence_shared();
      lctx_meet(1, 256);
      lctx_mma_begin();
#pragma unroll
      for (int k = 0; k < ${tile.keys / 16}; k++)
        lctx_query_product(dq, ${shared ? c`still` : c`own_half`} + (u64)buffer * ${layout.slopeBytes / 16} + ${layout.slope / 16} + k * 128,
                           ${shared ? c`own_half` : c`still`} + ${when(c`region_keys + `)}${layout.key / 16} + k * 128, k > 0);
      lctx_mma_commit();
#pragma unroll
      for (int k = 0; k < ${rows / 16}; k++)
        lctx_key_product(dk, ds[4 * k], ds[4 * k + 1], ds[4 * k + 2], ds[4 * k + 3],
                         moving + (u64)at * ${layout.queryBytes / 16} + ${layout.query / 16} + k * 128, 1);
      lctx_mma_commit();
      lctx_query_first(dq);
      ${free(c`OUT_FREE(at)`)}
      lctx_wait(SHARE_FREE(worker), share_phase);
      share_phase ^= 1;
#pragma unroll
      for (int i = 0; i < ${layout.gradientCount / 4}; i++)
        share[i * 128] = make_float4(dq[4 * i], dq[4 * i + 1], dq[4 * i + 2], dq[4 * i + 3]);
      lctx_fence_shared();
      if (thread == 0) {
        volatile int4 &note = shares[2 * buffer + worker];
        note.x = step.x, note.y = step.y${when(c` + region * batch * ${shape.heads}`)}, note.z = 0, note.w = step.w;
      }
      ${free(c`SHARE_FULL(buffer, worker)`)}
${
  runsOn
    ? c`      before = at;
      running = 1;
`
    : c`      lctx_keys_done(dk);
      ${free(c`QUERY_FREE(at)`)}
`
}      buffer ^= 1;
      if (++at == ${stages}) at = 0, phase ^= 1;
    }
    lctx_keys_done(dk);${when(c`${
      runsOn
        ? c`
    if (running) {
      ${free(c`QUERY_FREE(before)`)}
      running = 0;
    }`
        : c``
    }
    /* The key gradients of this region are whole. */
    const int key = k0 + own;
    const size_t place = ((size_t)b * keys + key) * ${groups} + g;
    unsigned short *to = ${pick("key_gradient", regions, c`region`)} + place * ${d};
    lctx_write_keys(key < keys ? to : 0, dk, 0, ${realLiteral(scale)}, quad);
    lctx_write_keys(key + 8 < keys ? to + ${8 * groups * d} : 0, dk, 1, ${realLiteral(scale)}, quad);
#pragma unroll
    for (int i = 0; i < ${d / 2}; i++) dk[i] = 0.0f;
    }`)}
    lctx_values_done(dv);${trains ? c`\n    lctx_finish_shares(own_shares, trained);` : c``}
    /* Both threads that add may stop. */
#pragma unroll
    for (int n = 0; n < 2; n++, buffer ^= 1) {
      if (n == 1${when(c``, c` && !(flags & 8)`)}) lctx_wait(SHARE_FREE(worker), share_phase);
      if (thread == 0) shares[2 * buffer + worker].z = 4;
      ${free(c`SHARE_FULL(buffer, worker)`)}
    }
  }
  const int key = k0 + own;
  const size_t place = ((size_t)b * keys + key) * ${groups} + g;
  const bool in0 = key < keys, in1 = key + 8 < keys;
${when(
  c``,
  c`  lctx_write_keys(in0 ? key_gradient + place * ${d} : 0, dk, 0, ${realLiteral(scale)}, quad);
  lctx_write_keys(in1 ? key_gradient + (place + ${8 * groups}) * ${d} : 0, dk, 1, ${realLiteral(scale)}, quad);
`,
)}  lctx_write_values(in0 ? value_gradient + place * ${e} : 0, dv, 0, 1.0f, quad);
  lctx_write_values(in1 ? value_gradient + (place + ${8 * groups}) * ${e} : 0, dv, 1, 1.0f, quad);
}
`;
}
