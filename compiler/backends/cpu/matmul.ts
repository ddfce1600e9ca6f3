/** Matrix products: one kernel for all of them, over the packed product of the support library. */
import { c, type Kernel } from "../../ir/kernel.ts";
import type { MatmulStep } from "../../ir/schedule.ts";
import type { Size } from "../../../runtime/program.ts";

/** Buffers a, b, out; sizes batch, m, n, k, transpose a, transpose b; scalar: not 0 adds into out. */
export const matmulKernel: Kernel = {
  entry: "matmul",
  support: ["gemm"],
  key: "matmul",
  text: c`void matmul(void *const *buffers, const int64_t *sizes, const float *scalars) {
  const float *a = buffers[0], *b = buffers[1];
  float *out = buffers[2];
  const int64_t batch = sizes[0], m = sizes[1], n = sizes[2], k = sizes[3];
  const int ta = sizes[4] != 0, tb = sizes[5] != 0, accumulate = scalars[0] != 0.0f;
  for (int64_t p = 0; p < batch; p++)
    lctx_gemm(m, n, k, a + p * m * k, ta ? m : k, ta, b + p * k * n, tb ? k : n, tb, out + p * m * n, n, accumulate, NULL);
}
`,
};

export function matmulSizes(step: MatmulStep): readonly Size[] {
  return [step.batch, step.m, step.n, step.k, step.transposeA ? 1 : 0, step.transposeB ? 1 : 0];
}
