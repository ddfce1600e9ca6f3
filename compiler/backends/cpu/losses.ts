/** Kernels of cross-entropy, alone and with the output head, and of their gradients. */
import type {
  CrossEntropyGradientNode,
  CrossEntropyNode,
  HeadLossGradientNode,
  HeadLossNode,
} from "../../ir/graph.ts";
import { c, type Fragment } from "../../ir/kernel.ts";
import { namedKernel } from "./kernel-names.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { axisExtent } from "../../ir/axis-extent.ts";
import { extents, times } from "./sizes.ts";

/** Rows and vocabulary entries of a block of logits of the head; the block is all that is ever held. */
const rowBlock = 1024;
const vocabularyBlock = 1024;

const lossText: Fragment = c`
#ifndef LCTX_LOSS
#define LCTX_LOSS
/* Takes n logits into a running maximum and sum of exponentials. */
static __attribute__((noinline, unused)) void lctx_take_logits(const float *x, int64_t n, float *most, float *total) {
  vf wide = lctx_splat_real(-LCTX_INF);
  int64_t i = 0;
  for (; i + LCTX_LANES <= n; i += LCTX_LANES) wide = lctx_max_v(lctx_load(x + i), wide);
  float best = *most;
  for (int k = 0; k < LCTX_LANES; k++) best = wide[k] > best ? wide[k] : best;
  for (; i < n; i++) best = x[i] > best ? x[i] : best;
  const float safe = best == -LCTX_INF ? 0.0f : best;
  vf sum = lctx_splat_real(0.0f);
  for (i = 0; i + LCTX_LANES <= n; i += LCTX_LANES) sum += lctx_exp_v(lctx_load(x + i) - safe);
  float rest = lctx_sum(sum);
  for (; i < n; i++) rest += lctx_exp_s(x[i] - safe);
  *total = *total * lctx_exp_s(*most - safe) + rest;
  *most = best;
}
/* d loss / d logits for n logits from entry first on; in place is fine. */
static __attribute__((noinline, unused)) void lctx_logit_gradients(float *to, const float *x, int64_t n, int64_t first,
                                                                   int32_t target, float lse, float gradient) {
  if (target < 0) {
    __builtin_memset(to, 0, (size_t)n * sizeof(float));
    return;
  }
  int64_t i = 0;
  for (; i + LCTX_LANES <= n; i += LCTX_LANES) lctx_store(to + i, lctx_exp_v(lctx_load(x + i) - lse) * gradient);
  for (; i < n; i++) to[i] = lctx_exp_s(x[i] - lse) * gradient;
  if (target >= first && target < first + n) to[target - first] -= gradient;
}
#endif
`;

const crossEntropy = namedKernel(
  "cross_entropy",
  [],
  (entry) => c`${lossText}
typedef struct { const float *logits; const int32_t *targets; float *loss, *lse; const int64_t *sizes; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t rows = x->sizes[0], n = x->sizes[1];
  (void)thread;
  for (int64_t r = item * 16; r < rows && r < item * 16 + 16; r++) {
    float most = -LCTX_INF, total = 0.0f;
    lctx_take_logits(x->logits + r * n, n, &most, &total);
    const float lse = most + lctx_log_s(total);
    const int32_t target = x->targets[r];
    if (x->loss) x->loss[r] = target < 0 ? 0.0f : target < n ? lse - x->logits[r * n + target] : LCTX_NAN;
    if (x->lse) x->lse[r] = lse;
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  call_${entry} call = {buffers[0], buffers[1], buffers[2], buffers[3], sizes};
  (void)scalars;
  lctx_parallel((sizes[0] + 15) / 16, body_${entry}, &call);
}
`,
);

/** Buffers: logits, targets, loss, log-sum-exp. */
export function crossEntropyKernel(node: CrossEntropyNode): NodeKernel {
  const all = extents(node.logits.axes);
  return {
    kernel: crossEntropy,
    sizes: [times(...all.slice(0, -1)), all.at(-1)!],
    scalars: [],
    scratch: null,
  };
}

const crossEntropyGradient = namedKernel(
  "cross_entropy_gradient",
  [],
  (entry) => c`${lossText}
typedef struct {
  const float *logits; const int32_t *targets; const float *lse, *gradient; float *out; const int64_t *sizes;
} call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t rows = x->sizes[0], n = x->sizes[1];
  (void)thread;
  for (int64_t r = item * 16; r < rows && r < item * 16 + 16; r++)
    lctx_logit_gradients(x->out + r * n, x->logits + r * n, n, 0, x->targets[r], x->lse[r], x->gradient[r]);
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  call_${entry} call = {buffers[0], buffers[1], buffers[2], buffers[3], buffers[4], sizes};
  (void)scalars;
  lctx_parallel((sizes[0] + 15) / 16, body_${entry}, &call);
}
`,
);

/** Buffers: logits, targets, log-sum-exp, loss gradient, d logits. */
export function crossEntropyGradientKernel(node: CrossEntropyGradientNode): NodeKernel {
  const all = extents(node.logits.axes);
  return {
    kernel: crossEntropyGradient,
    sizes: [times(...all.slice(0, -1)), all.at(-1)!],
    scalars: [],
    scratch: null,
  };
}

const headSizes = (node: HeadLossNode | HeadLossGradientNode) => [
  times(...extents(node.targets.axes)),
  axisExtent(node.weight.axes[0]!.size),
  axisExtent(node.weight.axes[1]!.size),
];

/** Per row of a block: running maximum, sum and the target's logit. */
const headLoss = namedKernel(
  "head_loss",
  ["gemm"],
  (entry) => c`${lossText}
typedef struct { const float *logits; const int32_t *targets; float *most, *total, *hit; int64_t rows, first, n; } call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  (void)thread;
  for (int64_t r = item * 16; r < x->rows && r < item * 16 + 16; r++) {
    const float *logits = x->logits + r * x->n;
    const int64_t target = (int64_t)x->targets[r] - x->first;
    lctx_take_logits(logits, x->n, x->most + r, x->total + r);
    if (target >= 0 && target < x->n) x->hit[r] = logits[target];
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  const float *x = buffers[0], *weight = buffers[1];
  const int32_t *targets = buffers[2];
  float *loss = buffers[3], *lse = buffers[4], *scratch = buffers[5];
  const int64_t rows = sizes[0], entries = sizes[1], width = sizes[2];
  float *logits = scratch + 3 * ${rowBlock};
  (void)scalars;
  for (int64_t r = 0; r < rows; r += ${rowBlock}) {
    const int64_t some = rows - r < ${rowBlock} ? rows - r : ${rowBlock};
    call_${entry} call = {logits, targets + r, scratch, scratch + ${rowBlock}, scratch + 2 * ${rowBlock}, some, 0, 0};
    for (int64_t i = 0; i < some; i++) call.most[i] = -LCTX_INF, call.total[i] = 0.0f, call.hit[i] = LCTX_NAN;
    for (int64_t v = 0; v < entries; v += ${vocabularyBlock}) {
      call.first = v, call.n = entries - v < ${vocabularyBlock} ? entries - v : ${vocabularyBlock};
      lctx_gemm(some, call.n, width, x + r * width, width, 0, weight + v * width, width, 1, logits, call.n, 0,
                logits + ${rowBlock * vocabularyBlock});
      lctx_parallel((some + 15) / 16, body_${entry}, &call);
    }
    for (int64_t i = 0; i < some; i++) {
      const float sum = call.most[i] + lctx_log_s(call.total[i]);
      if (loss) loss[r + i] = targets[r + i] < 0 ? 0.0f : sum - call.hit[i];
      if (lse) lse[r + i] = sum;
    }
  }
}
`,
);

/** Buffers: x, weight, targets, loss, log-sum-exp, scratch. */
export function headLossKernel(node: HeadLossNode): NodeKernel {
  return {
    kernel: headLoss,
    sizes: headSizes(node),
    scalars: [],
    scratch: { elements: 3 * rowBlock + rowBlock * vocabularyBlock + 16 },
  };
}

const headLossGradient = namedKernel(
  "head_loss_gradient",
  ["gemm"],
  (entry) => c`${lossText}
typedef struct {
  float *logits; const int32_t *targets; const float *lse, *gradient; int64_t rows, first, n;
} call_${entry};
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  (void)thread;
  for (int64_t r = item * 16; r < x->rows && r < item * 16 + 16; r++)
    lctx_logit_gradients(x->logits + r * x->n, x->logits + r * x->n, x->n, x->first, x->targets[r], x->lse[r],
                         x->gradient[r]);
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  const float *x = buffers[0], *weight = buffers[1];
  const int32_t *targets = buffers[2];
  const float *lse = buffers[3], *gradient = buffers[4];
  float *dx = buffers[5], *dw = buffers[6], *logits = buffers[7];
  float *gemm = logits + ${rowBlock * vocabularyBlock};
  const int64_t rows = sizes[0], entries = sizes[1], width = sizes[2];
  (void)scalars;
  for (int64_t r = 0; r < rows; r += ${rowBlock}) {
    const int64_t some = rows - r < ${rowBlock} ? rows - r : ${rowBlock};
    for (int64_t v = 0; v < entries; v += ${vocabularyBlock}) {
      const int64_t n = entries - v < ${vocabularyBlock} ? entries - v : ${vocabularyBlock};
      call_${entry} call = {logits, targets + r, lse + r, gradient + r, some, v, n};
      lctx_gemm(some, n, width, x + r * width, width, 0, weight + v * width, width, 1, logits, n, 0, gemm);
      lctx_parallel((some + 15) / 16, body_${entry}, &call);
      if (dx) lctx_gemm(some, width, n, logits, n, 0, weight + v * width, width, 0, dx + r * width, width, v > 0, gemm);
      if (dw) lctx_gemm(n, width, some, logits, n, 1, x + r * width, width, 0, dw + v * width, width, r > 0, gemm);
    }
  }
}
`,
);

/** Buffers: x, weight, targets, log-sum-exp, loss gradient, dx, dWeight, scratch. */
export function headLossGradientKernel(node: HeadLossGradientNode): NodeKernel {
  return {
    kernel: headLossGradient,
    sizes: headSizes(node),
    scalars: [],
    scratch: { elements: rowBlock * vocabularyBlock + 16 },
  };
}
