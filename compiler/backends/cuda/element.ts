/** Element types of attention operands in device code, and the PTX that the sm_80 path is made of. */
import type { CudaElement } from "../../../runtime/device/cuda/launch.ts";
import { c, type Fragment } from "../../ir/kernel.ts";

/** What queries, keys, values and outputs are stored as; sums are always f32. */
export type AttentionElement = Exclude<CudaElement, "i32">;

export const elementBytes = (element: AttentionElement): number => (element === "f32" ? 4 : 2);

const sixteen = (name: Fragment): Fragment => c`
typedef unsigned short lctx_element;
/* Two numbers, rounded to nearest; the first in the low half. */
LCTX_DEVICE unsigned lctx_pack(float low, float high) {
  unsigned y;
  asm("cvt.rn.${name}x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
  return y;
}
/* c[16][8] += a[16][16] b[16][8]. */
LCTX_DEVICE void lctx_mma(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.${name}.${name}.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
/* Four matrices of 8 x 8: lane i gives the address of row i mod 8 of matrix i / 8. */
LCTX_DEVICE void lctx_matrices(unsigned (&r)[4], const lctx_element *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"((unsigned)__cvta_generic_to_shared(row))
               : "memory");
}
LCTX_DEVICE void lctx_matrices_transposed(unsigned (&r)[4], const lctx_element *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"((unsigned)__cvta_generic_to_shared(row))
               : "memory");
}
`;

const types: Readonly<Record<AttentionElement, Fragment>> = {
  bf16: c`${sixteen(c`bf16`)}
LCTX_DEVICE float lctx_real(lctx_element x) { return __int_as_float((int)x << 16); }
`,
  f16: c`${sixteen(c`f16`)}
LCTX_DEVICE float lctx_real(lctx_element x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
  return y;
}
`,
  f32: c`
typedef float lctx_element;
LCTX_DEVICE float lctx_real(lctx_element x) { return x; }
`,
};

const common: Fragment = c`
/* Copies 16 bytes to shared memory without waiting; zeros when not valid. */
LCTX_DEVICE void lctx_copy16(void *to, const void *from, bool valid) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;"
               :
               : "r"((unsigned)__cvta_generic_to_shared(to)), "l"(from), "r"(valid ? 16 : 0)
               : "memory");
}
LCTX_DEVICE void lctx_copies_end() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/* Waits until at most so many groups of copies are under way. */
template <int kGroupsLeft> LCTX_DEVICE void lctx_copies_wait() {
  asm volatile("cp.async.wait_group %0;" : : "n"(kGroupsLeft) : "memory");
}
LCTX_DEVICE float lctx_lg2(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
LCTX_DEVICE float lctx_swap(float x, int lanes) { return __shfl_xor_sync(0xffffffffu, x, lanes); }
`;

/** `lctx_element`, its conversions, and the instructions that tiles of it are loaded and multiplied with. */
export const elementText = (element: AttentionElement): Fragment => c`${common}${types[element]}`;
