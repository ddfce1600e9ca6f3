/** What a kernel's skeleton needs to know of the mask and the score of its pairs. */
import type { CudaArgument } from "../../../../runtime/device/cuda/launch.ts";
import type { Fragment } from "../../../ir/kernel.ts";

/**
 * Device functions over `const lctx_pairs &p` that a skeleton calls (positions are absolute, `k1` and `q1` included):
 * `bool lctx_see(p, b, h, q, k)`; `float lctx_score(p, s, b, h, q, k)` and `float lctx_slope(p, s, b, h, q, k)` of the
 * scaled logit, when `scored`; `int lctx_key_ranges(p, b, h, q0, q1, int2 *out)` and `lctx_query_ranges(p, b, h, k0, k1,
 * out)`: at most 8 ascending disjoint half-open ranges; `bool lctx_all(p, b, h, q0, q1, k0, k1)` and `lctx_any(…)`.
 */
export interface PairHooks {
  /** The struct `lctx_pairs` and the functions. */
  readonly text: Fragment;
  /** Kernel parameters, each preceded by a comma. */
  readonly parameters: Fragment;
  /** A statement that makes `p` of them. */
  readonly open: Fragment;
  /** Values of the parameters. */
  readonly arguments: readonly CudaArgument[];
  /** False when the score is the scaled logit itself. */
  readonly scored: boolean;
}
