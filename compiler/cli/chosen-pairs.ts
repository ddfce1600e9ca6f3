/** What the selections of a model choose in one row of text, as grids of visible pairs: sets are computed by the interpreter. */
import type { Model } from "../check/model/model.ts";
import { exprEvaluator, noValues } from "../ir/evaluate-expr.ts";
import { someExpr } from "../ir/expr.ts";
import { graphOf } from "../ir/graph-build.ts";
import type { Graph, Node } from "../ir/graph.ts";
import type { NodeOf } from "../ir/graph-operands.ts";
import { interpret, type Float64Tensor } from "../ir/interpret.ts";
import { loader, sizeReader, wordCounter, type AttentionContext } from "../ir/interpret-attention.ts";
import { modelToGraph, parameterInfos } from "../lower/model-to-graph.ts";
import type { ParameterInfo } from "../../runtime/program.ts";
import { UsageError } from "./exit-codes.ts";
import type { MaskGrid } from "./pictures/mask-picture.ts";

/** One row of text, [length] each. */
export interface ChosenText {
  readonly tokens: ArrayLike<number>;
  readonly documents: ArrayLike<number>;
  readonly starts: ArrayLike<number>;
}

export interface ChosenOptions {
  /** Path of an attention, `layers.1.attn`; left out: the first that chooses. */
  readonly site: string | undefined;
  /** Counted from 0; left out: all, and the picture shades by how many see a pair. */
  readonly head: number | undefined;
  /** The row, given how many tokens the model knows. */
  readonly text: (vocabulary: number) => Promise<ChosenText>;
  readonly weights: (info: ParameterInfo) => Float32Array;
  /** What the weights are, for the title. */
  readonly whose: string;
}

type Attention = NodeOf<"attention">;
const chooses = (node: Node): node is Attention =>
  node.kind === "attention" && someExpr(node.mask, (e) => e.kind === "set");

/** The first phase in which an attention of the model chooses, with those that do. */
function choosing(model: Model): {
  readonly graph: Graph;
  readonly nodes: readonly Attention[];
} {
  for (const phase of ["evaluation", "decoding", "training"] as const) {
    const graph = modelToGraph(model, { phase, output: "logits" });
    const nodes = graph.nodes.filter(chooses);
    if (nodes.length > 0) return { graph, nodes };
  }
  throw new UsageError(
    `no attention of ${model.name} chooses: its masks read positions alone`,
    "draw them with `lctx viz mask`",
  );
}

/** Size of the axis that tokens are looked up in. */
function vocabularyOf(graph: Graph): number {
  for (const node of graph.nodes)
    if (node.kind === "gather" && node.index.kind === "input" && node.index.name === "tokens") {
      const size = node.table.axes.find((own) => own.name === node.axis)?.size;
      if (size?.kind === "fixed") return size.value;
    }
  throw new Error("no table is looked up by tokens");
}

/** The pairs that an attention's mask lets through in the text. Throws a UsageError for a site or head that is not there. */
export async function chosenPairs(model: Model, options: ChosenOptions): Promise<MaskGrid> {
  const { graph, nodes } = choosing(model);
  const node = options.site === undefined ? nodes[0]! : nodes.find(({ site }) => site === options.site);
  if (node === undefined)
    throw new UsageError(
      `no attention that chooses is called ${JSON.stringify(options.site)}`,
      `there are: ${[...new Set(nodes.map(({ site }) => site))].join(", ")}`,
    );
  const heads = node.regions[0]!.query.axes[2]!.size;
  if (heads.kind !== "fixed") throw new Error("the number of heads is open");
  if (options.head !== undefined && options.head >= heads.value)
    throw new UsageError(`${node.site} has ${heads.value} heads`, `they are 0 to ${heads.value - 1}`);
  const text = await options.text(vocabularyOf(graph));
  const sizes = { batch: 1, length: text.tokens.length };
  const tables = interpretTables(model, node, text, options.weights, sizes.length);
  const context: AttentionContext = {
    value: (table) => tables.get(table)!,
    sizes,
    scalar: noValues.scalar,
  };
  const shown = options.head === undefined ? range(heads.value) : [options.head];
  const values = new Float64Array(sizes.length ** 2);
  const visible = exprEvaluator(node.mask);
  let [q, k, h] = [0, 0, 0];
  const at: Readonly<Record<string, () => number>> = { q: () => q, k: () => k, h: () => h };
  const leaves = {
    ...noValues,
    index: (name: string) => at[name]!(),
    size: sizeReader(sizes, sizes.length, 0),
    load: loader(node.buffers, context)(0),
    words: wordCounter(node.buffers, context),
  };
  let seen = 0;
  for (q = 0; q < sizes.length; q++)
    for (k = 0; k < sizes.length; k++)
      for (h of shown) {
        const one = visible(leaves);
        values[q * sizes.length + k]! += one / shown.length;
        seen += one;
      }
  const share = ((100 * seen) / (shown.length * values.length)).toFixed(1);
  const who = options.head === undefined ? "" : ` head ${options.head}`;
  return {
    queries: sizes.length,
    keys: sizes.length,
    values,
    title: `${node.site}${who}, ${share} % of pairs, ${options.whose}`,
  };
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

/** Every table that a mask may read, computed for the text. */
function interpretTables(
  model: Model,
  { buffers }: Attention,
  text: ChosenText,
  weights: ChosenOptions["weights"],
  length: number,
): ReadonlyMap<Node, Float64Tensor> {
  const graph = graphOf(new Map(buffers.map((node, n) => [`table${n}`, node])));
  const row = (values: ArrayLike<number>): Float64Tensor => ({
    shape: [1, length],
    data: Float64Array.from(values),
  });
  const inputs = new Map<string, Float64Tensor>([
    ["input:tokens", row(text.tokens)],
    ["input:documents", row(text.documents)],
    ["input:starts", row(text.starts)],
  ]);
  for (const info of parameterInfos(model))
    inputs.set(info.path, { shape: info.shape, data: Float64Array.from(weights(info)) });
  const results = interpret(graph, inputs, { batch: 1, length });
  return new Map(buffers.map((node, n) => [node, results.get(`table${n}`)!]));
}
