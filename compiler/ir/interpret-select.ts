/** The meaning of a selection in float64: for each row and head, all candidates sorted. */
import { exprEvaluator, noValues, type ExprValues } from "./evaluate-expr.ts";
import { isTokenAxis, wordMembers } from "./graph-axes.ts";
import type { NodeOf } from "./graph-operands.ts";
import { loader, sizeReader, wordCounter, type AttentionContext } from "./interpret-attention.ts";
import { emptyTensor, extents, product, type Float64Tensor } from "./interpret-tensor.ts";

interface Candidate {
  readonly k: number;
  readonly forced: boolean;
  readonly body: number;
}

/** Forced ones first, then larger bodies, NaN last; of equal ones the lower candidate. */
function before(a: Candidate, b: Candidate): number {
  if (a.forced !== b.forced) return a.forced ? -1 : 1;
  const [lost, gained] = [Number.isNaN(a.body), Number.isNaN(b.body)];
  if (lost !== gained) return lost ? 1 : -1;
  return !lost && a.body !== b.body ? (a.body > b.body ? -1 : 1) : a.k - b.k;
}

/** Words [b, row, h, words] of the chosen candidates. */
export function interpretSelect(node: NodeOf<"select">, context: AttentionContext): readonly Float64Tensor[] {
  const out = emptyTensor(extents(node.axes, context.sizes));
  const [batches, words] = [out.shape[0]!, out.shape.at(-1)!];
  const rows = node.perRow ? out.shape[1]! : 1;
  const heads = node.perHead ? out.shape.at(-2)! : 1;
  const candidates = product(extents([{ name: "k", size: node.candidates }], context.sizes));
  const start = node.perRow && isTokenAxis(node.axes[1]!) ? (context.sizes["query-start"] ?? 0) : 0;
  const [where, always, body] = [node.where, node.always, node.body].map(exprEvaluator) as [
    ReturnType<typeof exprEvaluator>,
    ReturnType<typeof exprEvaluator>,
    ReturnType<typeof exprEvaluator>,
  ];
  const amount = exprEvaluator(node.choose.kind === "top" ? node.choose.count : node.choose.threshold);
  const logitOf = logits(node, context, heads);
  const load = loader(node.buffers, context);
  for (let b = 0; b < batches; b++)
    for (let row = 0; row < rows; row++)
      for (let h = 0; h < heads; h++) {
        const at = (k: number): ExprValues => ({
          ...noValues,
          index: (name) => (name === "q" ? start + row : name === "h" ? h : k),
          size: sizeReader(context.sizes, rows, start),
          scalar: context.scalar,
          load: load(b),
          words: wordCounter(node.buffers, context),
          logit: () => logitOf(b, row, h, k),
        });
        const found: Candidate[] = [];
        for (let k = 0; k < candidates; k++)
          if (where(at(k)) !== 0) found.push({ k, forced: always(at(k)) !== 0, body: body(at(k)) });
        found.sort(before);
        const limit = amount(at(NaN));
        const first = ((b * rows + row) * heads + h) * words;
        found.forEach(({ k, forced, body: value }, n) => {
          const chosen = forced || (node.choose.kind === "top" ? n < limit : value > limit);
          const word = first + Math.floor(k / wordMembers);
          if (chosen) out.data[word] = out.data[word]! | (1 << (k % wordMembers));
        });
      }
  return [out];
}

/** The scaled product of a row and a candidate. */
function logits(
  node: NodeOf<"select">,
  context: AttentionContext,
  heads: number,
): (b: number, row: number, h: number, k: number) => number {
  if (node.query === null || node.key === null) return () => NaN;
  const [query, key] = [context.value(node.query), context.value(node.key)];
  const [rows, candidates, groups, d] = [query.shape[1]!, key.shape[1]!, key.shape[2]!, key.shape[3]!];
  return (b, row, h, k) => {
    const group = Math.floor(h / (heads / groups));
    const [queryAt, keyAt] = [
      ((b * rows + row) * heads + h) * d,
      ((b * candidates + k) * groups + group) * d,
    ];
    let total = 0;
    for (let i = 0; i < d; i++) total += query.data[queryAt + i]! * key.data[keyAt + i]!;
    return node.scale * total;
  };
}
