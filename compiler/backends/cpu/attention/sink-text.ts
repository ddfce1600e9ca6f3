/** C text of sinks: one more term of a plain softmax's denominator, and the gradients of what sinks load. */
import { c, type Fragment } from "../../../ir/kernel.ts";

/**
 * Forward, a sink scales what plain attention has summed and joins its log-sum-exp; backward, plain attention has all it
 * needs in that log-sum-exp, and what is left is the sink's own gradient: -e^(sink - lse) ⟨gradient, output⟩ for each row.
 */
export const sinkText: Fragment = c`
#ifndef LCTX_SINK
#define LCTX_SINK
typedef struct {
  lctx_attention *a;
  void (*sink)(const lctx_attention *, int64_t b, int64_t h, int64_t q0, int64_t queries, float *to);
  void (*slope)(const lctx_block *);
} lctx_sinks;

/* One item is a block of queries of one head. */
static __attribute__((unused)) void lctx_sink_forward_item(void *context, int64_t item, int thread) {
  const lctx_sinks *c = context;
  const lctx_attention *a = c->a;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB;
  const int64_t b = item / blocks / a->heads, h = item / blocks % a->heads, first = item % blocks * LCTX_QB;
  const int64_t count = lctx_least(LCTX_QB, a->queries - first), row = (b * a->queries + first) * a->heads + h;
  float sink[LCTX_QB] __attribute__((aligned(64)));
  (void)thread;
  c->sink(a, b, h, a->start + first, count, sink);
  for (int64_t i = 0; i < count; i++) {
    float *lse = a->lse + row + i * a->heads;
    const float most = lctx_max_s(*lse, sink[i]), least = lctx_min_s(*lse, sink[i]);
    const float both = most == -LCTX_INF ? most : most + lctx_log_s(1.0f + lctx_exp_s(least - most));
    const float factor = *lse == -LCTX_INF ? 0.0f : lctx_exp_s(*lse - both);
    if (a->output)
      for (int64_t n = 0; n < a->e; n++) a->output[(row + i * a->heads) * a->e + n] *= factor;
    *lse = both;
  }
}

static __attribute__((unused)) void lctx_sink_forward(lctx_sinks *c) {
  const int64_t blocks = (c->a->queries + LCTX_QB - 1) / LCTX_QB;
  lctx_parallel(c->a->batch * c->a->heads * blocks, lctx_sink_forward_item, c);
}

/* Items are cut into as many runs as there are shares of the table gradients. */
static __attribute__((unused)) void lctx_sink_backward_item(void *context, int64_t share, int thread) {
  const lctx_sinks *c = context;
  const lctx_attention *a = c->a;
  const int64_t blocks = (a->queries + LCTX_QB - 1) / LCTX_QB, items = a->batch * a->heads * blocks;
  float lse[LCTX_QB] __attribute__((aligned(64))), delta[LCTX_QB] __attribute__((aligned(64)));
  double *shares[16];
  (void)thread;
  lctx_share(a, share, shares);
  for (int64_t item = share * items / a->shares; item < (share + 1) * items / a->shares; item++) {
    const int64_t b = item / blocks / a->heads, h = item / blocks % a->heads, first = item % blocks * LCTX_QB;
    const int64_t count = lctx_least(LCTX_QB, a->queries - first), row = (b * a->queries + first) * a->heads + h;
    for (int64_t i = 0; i < LCTX_QB; i++) {
      const int64_t at = row + i * a->heads;
      lse[i] = LCTX_INF, delta[i] = 0.0f;
      if (i >= count || a->lse_read[at] == -LCTX_INF) continue;
      lse[i] = a->lse_read[at];
      double sum = 0.0;
      for (int64_t n = 0; n < a->e; n++) sum += (double)a->out_gradient[at * a->e + n] * a->out_read[at * a->e + n];
      delta[i] = (float)sum;
    }
    const lctx_block x = {.a = a, .b = b, .h = h, .q0 = a->start + first, .queries = count, .lse = lse,
                          .delta = delta, .shares = shares};
    c->slope(&x);
  }
}

static __attribute__((unused)) void lctx_sink_backward(lctx_sinks *c) {
  lctx_parallel(c->a->shares, lctx_sink_backward_item, c);
}
#endif
`;
