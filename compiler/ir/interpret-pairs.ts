/** The meaning of log-sum-exps and folds over pairs in float64: every pair that the mask lets through, one at a time. */
import { exprEvaluator } from "./evaluate-expr.ts";
import type { NodeOf } from "./graph-operands.ts";
import { walkRows, type AttentionContext } from "./interpret-attention.ts";
import { emptyTensor, extents, folds, strides, type Float64Tensor } from "./interpret-tensor.ts";

const alone = { value: null, prepended: null, all: false } as const;

/** log Σ exp(score) [b, t, h]; −∞ for a row without keys. */
export function interpretLogSumExp(
  node: NodeOf<"log-sum-exp">,
  context: AttentionContext,
): readonly Float64Tensor[] {
  const out = emptyTensor(extents(node.axes, context.sizes));
  const score = exprEvaluator(node.score);
  walkRows({ ...node, ...alone }, context, ({ row, pairs, valuesAt }) => {
    const scores = pairs.map((pair) => score(valuesAt(pair)));
    const largest = scores.reduce((max, own) => Math.max(max, own), -Infinity);
    const total = scores.reduce((sum, own) => sum + Math.exp(own - largest), 0);
    out.data[row] = largest === -Infinity ? -Infinity : largest + Math.log(total);
  });
  return [out];
}

/** The body of every pair, folded at the element that its targets name. */
export function interpretPairReduce(
  node: NodeOf<"pair-reduce">,
  context: AttentionContext,
): readonly Float64Tensor[] {
  const out = emptyTensor(extents(node.axes, context.sizes));
  const { start, fold } = folds[node.op];
  out.data.fill(start);
  const steps = strides(out.shape);
  const body = exprEvaluator(node.body);
  const targets = node.targets.map(exprEvaluator);
  walkRows({ ...node, ...alone }, context, ({ batch, pairs, valuesAt }) => {
    for (const pair of pairs) {
      const leaves = valuesAt(pair);
      const places = [batch, ...targets.map((target) => target(leaves))];
      if (places.some((place, n) => !(place >= 0 && place < out.shape[n]!))) continue;
      const at = places.reduce((sum, place, n) => sum + place * steps[n]!, 0);
      out.data[at] = fold(out.data[at]!, body(leaves));
    }
  });
  return [out];
}
