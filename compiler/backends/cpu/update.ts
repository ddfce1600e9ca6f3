/** The optimizer as two kernels over all parameters: the norm of all gradients, then clip and update in one sweep. */
import { someExpr } from "../../ir/expr.ts";
import type { UpdateRule } from "../../ir/graph.ts";
import { c, identifier, joinFragments, type Fragment, type Kernel } from "../../ir/kernel.ts";
import type { Expr, ExprType } from "../../ir/expr.ts";
import { exprPrinter, type PrintedValue } from "./print-expr.ts";

/** Elements that one work item sums or updates; the order of sums follows from it, not from the number of threads. */
export const updateBlock = 8192;

/** Finds the tensor and the offset of a work item; `sizes` is the number of tensors, then the elements of each. */
export const updateHelpers: Fragment = c`
struct lctx_span { int64_t tensor, first, last; };
LCTX_INLINE int64_t lctx_span_count(const int64_t *sizes) {
  int64_t items = 0;
  for (int64_t t = 0; t < sizes[0]; t++) items += (sizes[1 + t] + ${updateBlock - 1}) / ${updateBlock};
  return items;
}
LCTX_INLINE struct lctx_span lctx_span_at(const int64_t *sizes, int64_t item) {
  int64_t t = 0;
  for (;; t++) {
    const int64_t own = (sizes[1 + t] + ${updateBlock - 1}) / ${updateBlock};
    if (item < own) break;
    item -= own;
  }
  const int64_t first = item * ${updateBlock}, all = sizes[1 + t];
  return (struct lctx_span){t, first, first + ${updateBlock} < all ? first + ${updateBlock} : all};
}
`;

/**
 * Buffers: norm [1], one double a work item (scratch), then gradients. Squares overflow from 1.8e19 on: a gradient that
 * large is reported as an infinite norm.
 */
export const gradientNormKernel: Kernel = {
  entry: "gradient_norm",
  support: [],
  key: "gradient_norm",
  text: c`
struct gradient_norm { void *const *buffers; const int64_t *sizes; };
static void gradient_norm_block(void *context, int64_t item, int thread) {
  (void)thread;
  const struct gradient_norm *c = context;
  const struct lctx_span span = lctx_span_at(c->sizes, item);
  const float *g = c->buffers[2 + span.tensor];
  double sum = 0;
  for (int64_t j = span.first; j < span.last;) {
    /* Squares of a short run are summed in lanes, runs in double precision. */
    const int64_t end = j + 512 < span.last ? j + 512 : span.last;
    vf run = lctx_splat_real(0.0f);
    for (; j + LCTX_LANES <= end; j += LCTX_LANES) { const vf x = lctx_load(g + j); run += x * x; }
    for (int i = 0; i < LCTX_LANES; i++) sum += run[i];
    for (; j < end; j++) sum += (double)g[j] * g[j];
  }
  ((double *)c->buffers[1])[item] = sum;
}
void gradient_norm(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)scalars;
  struct gradient_norm c = {buffers, sizes};
  const int64_t items = lctx_span_count(sizes);
  lctx_parallel(items, gradient_norm_block, &c);
  double sum = 0;
  for (int64_t item = 0; item < items; item++) sum += ((const double *)buffers[1])[item];
  *(float *)buffers[0] = (float)__builtin_sqrt(sum);
}
`,
};

export interface UpdateKernel {
  readonly kernel: Kernel;
  /** Named scalars after `clip`. */
  readonly scalars: readonly string[];
}

/** Buffers: norm [1], then for each parameter: weight, gradient, states in order. */
export function updateKernel(rule: UpdateRule): UpdateKernel {
  const scalars: string[] = [];
  const scalarText = (name: string): Fragment => {
    let n = scalars.indexOf(name);
    if (n < 0) n = scalars.push(name) - 1;
    return identifier("scalar", n);
  };
  const leaf = (text: Fragment, type: ExprType, form: "single" | "lanes", scope: number): PrintedValue => ({
    text,
    type,
    form,
    scope,
  });
  const nowhere = (what: string) => (): never => {
    throw new Error(`an update rule reads ${what}`);
  };
  const printer = exprPrinter(
    {
      index: nowhere("an index"),
      size: (name) => {
        if (name !== "step") throw new Error(`an update rule reads the size ${name}`);
        return leaf(c`(int32_t)${scalarText("step")}`, "int", "single", 0);
      },
      scalar: (name) => leaf(scalarText(name), "real", "single", 0),
      logit: nowhere("a logit"),
      operand: (n) =>
        n === 1
          ? leaf(c`g`, "real", "lanes", 1)
          : leaf(identifier("old", n === 0 ? 0 : n - 1), "real", "lanes", 1),
      load: nowhere("a buffer"),
      uniform: nowhere("random numbers"),
    },
    "v",
  );
  const count = rule.states.length;
  const bodies: readonly Expr[] = [rule.weight, ...rule.states.map((state) => state.value)];
  for (const body of bodies)
    someExpr(body, (e) => {
      if (e.kind === "operand" && e.index >= count + 2)
        throw new Error(`an update rule reads operand ${e.index}`);
      return false;
    });
  const values = bodies.map((body) => printer.spread(printer.print(body)));
  const once = printer.take(0);
  const each = printer.take(1);
  const slots = bodies.map((_, n) => n);
  // Slot 0 is the weight, slot n state n − 1; the gradient lies between them in memory.
  const bufferOf = (n: number): number => (n === 0 ? 0 : n + 1);
  const list = (make: (n: number) => Fragment): Fragment => joinFragments(slots.map(make), c``);
  const body = c`
    const vf g = lctx_load_left(gradient + j, left) * lctx_splat_real(factor);
    (void)g;
${list((n) => c`    const vf ${identifier("old", n)} = lctx_load_left(${identifier("at", n)} + j, left);\n    (void)${identifier("old", n)};\n`)}${each}${list((n) => c`    lctx_store_left(${identifier("at", n)} + j, ${values[n]!}, left);\n`)}`;
  const text = c`
struct update { void *const *buffers; const int64_t *sizes; const float *scalars; float factor; };
static void update_block(void *context, int64_t item, int thread) {
  (void)thread;
  const struct update *c = context;
  const struct lctx_span span = lctx_span_at(c->sizes, item);
  void *const *own = c->buffers + 1 + span.tensor * ${count + 2};
  const float factor = c->factor;
  const float *gradient = own[1];
${list((n) => c`  float *${identifier("at", n)} = own[${bufferOf(n)}];\n`)}${joinFragments(
    scalars.map((_, n) => c`  const float ${identifier("scalar", n)} = c->scalars[${n + 1}];\n`),
    c``,
  )}${once}  int64_t j = span.first;
  for (; j + LCTX_LANES <= span.last; j += LCTX_LANES) {
    enum { left = LCTX_LANES };
${body}  }
  if (j < span.last) {
    const int64_t left = span.last - j;
${body}  }
}
void update(void *const *buffers, const int64_t *sizes, const float *scalars) {
  const float norm = *(const float *)buffers[0], clip = scalars[0];
  struct update c = {buffers, sizes, scalars, norm > clip ? clip / norm : 1.0f};
  lctx_parallel(lctx_span_count(sizes), update_block, &c);
}
`;
  return { kernel: { entry: "update", support: [], text, key: "update" }, scalars };
}
