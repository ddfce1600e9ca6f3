/** Device functions around the Hopper instructions that C has no words for: barriers, bulk copies, matrix descriptors. */
import { c, type Fragment } from "../../../ir/kernel.ts";
import { scalarPrelude } from "../scalar-prelude.ts";

export type Sm90Element = "bf16" | "f16";

/** Names of an element in instructions. */
export const elementName = (element: Sm90Element): Fragment => (element === "bf16" ? c`bf16` : c`f16`);

/**
 * Common text of every kernel here. Shared memory is addressed by 32-bit addresses of the shared window.
 * Matrix descriptors are those of tiles with rows of 128 bytes in the 128-byte swizzle: 8 rows are 1024 bytes.
 */
export const ptxText = (element: Sm90Element): Fragment => c`${scalarPrelude("approximate")}
typedef unsigned int u32;
typedef unsigned long long u64;
/* Lanes of a warp that tell a barrier, after the warp has met. Tools that do not follow the meeting want all 32. */
#define LCTX_ARRIVING 1
#define LCTX_LOG2E 1.44269504f
#define LCTX_LN2 0.693147181f

struct __align__(64) lctx_map { u64 words[16]; };

LCTX_DEVICE u32 lctx_shared(const void *at) { return (u32)__cvta_generic_to_shared(at); }

/* Barriers in shared memory. */
LCTX_DEVICE void lctx_barrier_init(u32 at, u32 count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(at), "r"(count) : "memory");
}
LCTX_DEVICE void lctx_barriers_ready() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
LCTX_DEVICE void lctx_arrive(u32 at) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(at) : "memory");
}
LCTX_DEVICE void lctx_expect(u32 at, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(at), "r"(bytes) : "memory");
}
LCTX_DEVICE void lctx_wait(u32 at, u32 phase) {
  asm volatile(
      "{ .reg .pred done; again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;"
      " @done bra ready; bra again; ready: }" ::"r"(at), "r"(phase) : "memory");
}
/* Orders ordinary writes to shared memory before reads of the tensor cores and of the copy engine. */
LCTX_DEVICE void lctx_fence_shared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/* Named barriers. */
LCTX_DEVICE void lctx_meet(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
LCTX_DEVICE void lctx_announce(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/* Bulk copies; coordinates innermost first. */
LCTX_DEVICE void lctx_load_tile(u32 to, const lctx_map *map, u32 barrier, int x, int y, int z, int w, u64 hint) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint"
      " [%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(to), "l"(map), "r"(barrier), "r"(x), "r"(y), "r"(z), "r"(w),
      "l"(hint) : "memory");
}
LCTX_DEVICE void lctx_prefetch_map(const lctx_map *map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}
#define LCTX_READ_ONCE 0x12F0000000000000ull
#define LCTX_READ_OFTEN 0x14F0000000000000ull
LCTX_DEVICE void lctx_load_row(u32 to, const void *from, u32 bytes, u32 barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(barrier) : "memory");
}
LCTX_DEVICE void lctx_add_bulk(float *to, u32 from, u32 bytes) {
  asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(
                   __cvta_generic_to_global(to)), "r"(from), "r"(bytes) : "memory");
}
LCTX_DEVICE void lctx_store_bulk(float *to, u32 from, u32 bytes) {
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(__cvta_generic_to_global(to)),
               "r"(from), "r"(bytes) : "memory");
}
LCTX_DEVICE void lctx_bulk_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
LCTX_DEVICE void lctx_bulk_wait_read() { asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory"); }
LCTX_DEVICE void lctx_bulk_wait() { asm volatile("cp.async.bulk.wait_group 0;" ::: "memory"); }

/* Descriptor of a swizzled tile; \`chunk\`: bytes between blocks of 64 columns of an operand read across its rows. */
LCTX_DEVICE u64 lctx_tile(u32 at, u32 chunk) {
  return (1ull << 62) | (64ull << 32) | ((u64)(chunk >> 4) << 16) | (u64)((at & 0x3FFFF) >> 4);
}
LCTX_DEVICE void lctx_mma_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
LCTX_DEVICE void lctx_mma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

LCTX_DEVICE float lctx_log2(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/* Two elements in one word, the first in its low half. */
LCTX_DEVICE u32 lctx_pack(float low, float high) {
  u32 word;
  asm("cvt.rn.${elementName(element)}x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
}
${element === "bf16" ? unpackBf16 : unpackF16}
LCTX_DEVICE int lctx_lane() { return threadIdx.x & 31; }
LCTX_DEVICE float lctx_swap(float x, int lanes) { return __shfl_xor_sync(0xffffffffu, x, lanes); }
/* Maximum and sum over the four threads that hold a row of an accumulator. */
LCTX_DEVICE float lctx_row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
LCTX_DEVICE float lctx_row_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
/* Each of four neighbouring threads holds word i of groups 0..3 (w0..w3); afterwards thread i holds all of group i. */
LCTX_DEVICE uint4 lctx_gather_words(u32 w0, u32 w1, u32 w2, u32 w3, int i) {
  u32 a = i & 1 ? w0 : w1, b = i & 1 ? w2 : w3;
  a = __shfl_xor_sync(0xffffffffu, a, 1);
  b = __shfl_xor_sync(0xffffffffu, b, 1);
  /* Even threads: groups 0 and 2; odd threads: groups 1 and 3; words of the pair of threads. */
  const u32 x0 = i & 1 ? a : w0, x1 = i & 1 ? w1 : a, y0 = i & 1 ? b : w2, y1 = i & 1 ? w3 : b;
  u32 e = i & 2 ? x0 : y0, f = i & 2 ? x1 : y1;
  e = __shfl_xor_sync(0xffffffffu, e, 2);
  f = __shfl_xor_sync(0xffffffffu, f, 2);
  return i & 2 ? make_uint4(e, f, y0, y1) : make_uint4(x0, x1, e, f);
}
`;

const unpackBf16 = c`LCTX_DEVICE float lctx_low(u32 word) { return __uint_as_float(word << 16); }
LCTX_DEVICE float lctx_high(u32 word) { return __uint_as_float(word & 0xffff0000u); }
`;

const unpackF16 = c`LCTX_DEVICE float lctx_low(u32 word) {
  float x;
  asm("{ .reg .b16 a, b; mov.b32 {a, b}, %1; cvt.f32.f16 %0, a; }" : "=f"(x) : "r"(word));
  return x;
}
LCTX_DEVICE float lctx_high(u32 word) {
  float x;
  asm("{ .reg .b16 a, b; mov.b32 {a, b}, %1; cvt.f32.f16 %0, b; }" : "=f"(x) : "r"(word));
  return x;
}
`;
