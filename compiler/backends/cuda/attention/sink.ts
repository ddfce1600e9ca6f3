/** Device text of sinks: one more term of a row's denominator, and the kernel that sums its gradient into its tables. */
import type { CudaArgument, CudaLaunch, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import { scalarPrelude, type ScalarAccuracy } from "../scalar-prelude.ts";
import type { CudaPairs } from "./pairs.ts";
import { trainedText } from "./trained-tables.ts";

/** `lctx_add_sink`: takes the sink into a row's running softmax in powers of two, and says what sums so far are worth then. */
export const sinkText: Fragment = c`
LCTX_DEVICE float lctx_add_sink(const lctx_pairs &p, int b, int h, int q, float &most, float &total) {
  const float own = lctx_sink(p, b, h, q) * 1.44269504f, top = fmaxf(most, own);
  const float safe = top == -LCTX_INF ? 0.0f : top, alpha = lctx_ex2(most - safe);
  total = total * alpha + lctx_ex2(own - safe);
  most = top;
  return alpha;
}
`;

/** Where a row (b, t, h) of numbers lies: three distances in elements. */
export interface RowSteps {
  readonly batch: LaunchSize;
  readonly query: LaunchSize;
  readonly head: LaunchSize;
}

/** Rows of one head that a block takes, one a thread. */
const rowsOfBlock = 256;

/** Arguments of the kernel besides those of pairs and bins. */
export interface SinkOperands {
  /** Buffers of Σ output · output gradient, and of log-sum-exp times log2 e (∞ for rows without any term). */
  readonly deltas: number;
  readonly powers: number;
  readonly steps: RowSteps;
  readonly queries: LaunchSize;
  readonly heads: number;
  /** Buffers of counters, one for each trained table. */
  readonly bins: readonly number[];
}

/** The kernel that adds −exp(sink − log-sum-exp) · Σ output · output gradient to the sink's tables, and its launch. */
export function sinkGradient(
  pairs: CudaPairs,
  accuracy: ScalarAccuracy,
  entry: Fragment,
  of: SinkOperands,
): { readonly text: Fragment; readonly launch: Omit<CudaLaunch, "source" | "label"> } {
  const trained = trainedText(pairs, "sink");
  const whole = (value: LaunchSize): CudaArgument => ({ kind: "i32", value });
  const pointer = (buffer: number): CudaArgument => ({ kind: "pointer", buffer });
  const text = c`${scalarPrelude(accuracy)}
LCTX_DEVICE int lctx_lane() { return threadIdx.x % 32; }
LCTX_DEVICE float lctx_swap(float x, int lanes) { return __shfl_xor_sync(0xffffffffu, x, lanes); }
${pairs.functions}${trained.functions}
extern "C" __global__ void __launch_bounds__(${rowsOfBlock}) ${entry}(${pairs.parameters}${trained.parameters}const float *deltas,
    const float *powers, int queries, int batch_step, int query_step, int head_step) {
  ${pairs.build}
  ${trained.build}
  const int t = blockIdx.x * ${rowsOfBlock} + threadIdx.x, h = blockIdx.y, b = blockIdx.z, q = p.start + t;
  lctx_shares shares;
  lctx_start_shares(shares);
  if (t < queries) {
    const long long at = (long long)b * batch_step + (long long)t * query_step + (long long)h * head_step;
    const float weight = lctx_ex2(lctx_sink(p, b, h, q) * 1.44269504f - powers[at]);
    lctx_take_share(shares, trained, p, 0, -weight * deltas[at], 0.0f, b, h, q, 0);
  }
  lctx_finish_shares(shares, trained);
}
`;
  return {
    text,
    launch: {
      grid: [["ceil-div", of.queries, rowsOfBlock], of.heads, "batch"],
      threads: rowsOfBlock,
      cluster: 1,
      sharedBytes: 0,
      arguments: [
        ...pairs.arguments,
        ...of.bins.map(pointer),
        pointer(of.deltas),
        pointer(of.powers),
        ...[of.queries, of.steps.batch, of.steps.query, of.steps.head].map(whole),
      ],
    },
  };
}
