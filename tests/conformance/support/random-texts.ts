/** Random specs as text: checked, lowered and differentiated as any user's; then their attention and rotations alone. */
import fc from "fast-check";
import { checkSpec } from "../../../compiler/compile.ts";
import type { Model } from "../../../compiler/check/model/model.ts";
import { resultNode } from "../../../compiler/ir/graph-build.ts";
import { nodeOperands, withOperands, type NodeOf } from "../../../compiler/ir/graph-operands.ts";
import type { Graph, Node, NodeKind } from "../../../compiler/ir/graph.ts";
import { modelToGraph } from "../../../compiler/lower/model-to-graph.ts";
import { differentiate } from "../../../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../../../compiler/passes/pipeline.ts";
import { diskHost } from "../../support/check-text.ts";
import {
  randomMaskClause,
  randomRegionClauses,
  randomRotation,
  randomScoreClauses,
  type MaskClause,
  type RegionClause,
  type ScoreClause,
} from "./random-clauses.ts";
import { leaf, type Spec } from "./random-specs.ts";

/** What the clauses of a text say, as plain functions. */
export interface TextMeaning {
  /** Whether any clause reads documents: positions are then counted within them. */
  readonly byDocument: boolean;
  readonly mask: MaskClause["means"];
  readonly scores: readonly ScoreClause["means"][];
  readonly regions: readonly RegionClause["means"][];
}

export interface TextChoice {
  readonly mask: MaskClause;
  readonly scores: readonly ScoreClause[];
  readonly regions: readonly RegionClause[];
  readonly rotation: string;
  readonly batch: number;
  readonly groups: number;
  readonly each: number;
  /** Half the head size: pairs rotate. */
  readonly pairs: number;
  readonly length: number;
  readonly early: number;
  readonly threads: number;
  readonly deviation: number;
  readonly seed: number;
}

const choice: fc.Arbitrary<TextChoice> = fc.record({
  mask: randomMaskClause,
  scores: randomScoreClauses,
  regions: randomRegionClauses,
  rotation: randomRotation,
  batch: fc.integer({ min: 1, max: 2 }),
  groups: fc.integer({ min: 1, max: 2 }),
  each: fc.integer({ min: 1, max: 3 }),
  pairs: fc.oneof(fc.integer({ min: 2, max: 9 }), fc.constantFrom(16, 17, 33)),
  length: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }) },
    { weight: 2, arbitrary: fc.constantFrom(63, 64, 65, 79) },
    { weight: 1, arbitrary: fc.constantFrom(127, 128, 129, 150) },
  ),
  early: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 5 })),
  threads: fc.integer({ min: 1, max: 3 }),
  deviation: fc.constantFrom(0.3, 1, 1, 2),
  seed: fc.integer({ min: 0, max: 2 ** 30 }),
});

/** Long rows come with few and small heads: they would cost the interpreter too much. */
const afford = (of: TextChoice): TextChoice =>
  of.length < 60 ? of : { ...of, batch: 1, each: Math.min(of.each, 2), pairs: Math.min(of.pairs, 5) };

export const randomChoices = (count: number, seed: number): TextChoice[] =>
  fc.sample(choice, { numRuns: count, seed }).map(afford);

const imports = `import std.masks { causal, window, sinks, same_document, dilated, blockwise }
import std.scores { softcap, alibi, log_length }
`;

/** The declarations of the n-th choice: attention A<n>, model M<n>, and its adapter. */
function declarations(of: TextChoice, n: number): string {
  const before = new Set([...of.mask.before, ...of.scores.flatMap((score) => score.before)]);
  const lines = [
    ...before,
    `mask ${of.mask.text}`,
    ...of.scores.map((score) => `score = ${score.text}`),
    ...of.regions.map((region) => region.text),
  ];
  const heads = of.groups * of.each;
  return `
attention A${n}() {
${lines.map((line) => `  ${line}\n`).join("")}}

model M${n} = decoder {
  vocab 11   layers 1   heads ${heads}   kv_heads ${of.groups}   width 6   size ${2 * of.pairs}
  hidden 5   length 256   attention A${n}()   rope ${of.rotation}
}
${of.early === 0 ? "" : `\nadapt M${n} { prefix(length: ${of.early}) on attn }\n`}`;
}

export const textOf = (choices: readonly TextChoice[]): string =>
  imports + choices.map(declarations).join("");

/** Models of the choices, in order, all checked as one file. Throws when the checker refuses one. */
export function modelsOf(choices: readonly TextChoice[]): Model[] {
  const text = textOf(choices);
  const { project, diagnostics } = checkSpec("random.lctx", text, diskHost);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (project === null || errors.length > 0)
    throw new Error(`${errors.map(({ code, title }) => `${code}: ${title}`).join("\n")}\n${text}`);
  return choices.map((_, n) => project.models.get(`M${n}`)!);
}

/** The graph of a model's training step: per-token losses and the gradient of every weight. */
export function trainingGraph(model: Model): Graph {
  const paths = model.parameters.map(({ path }) => path);
  return optimizeGraph(differentiate(modelToGraph(model, { phase: "training", output: "loss" }), paths));
}

/** Operands of an attention as values that are given; batch data and learned tables keep their names. */
function leavesOf(node: NodeOf<"attention">): Node[] {
  const names = [
    ...node.regions.flatMap((_, r) => [`query${r}`, `key${r}`]),
    "value",
    ...node.buffers.map(() => null),
    "early-key",
    "early-value",
  ];
  return nodeOperands(node).map((operand, n) => {
    const name = names[n];
    if (name !== null && name !== undefined) return leaf(name, operand.axes);
    if (operand.kind !== "input" && operand.kind !== "parameter")
      throw new Error(`${operand.site}: a buffer that is computed`);
    return operand;
  });
}

function specOf(of: TextChoice, n: number, model: Model): Spec {
  const { nodes } = trainingGraph(model);
  const all = <K extends NodeKind>(kind: K) => nodes.filter((node): node is NodeOf<K> => node.kind === kind);
  const [found, foundGradient] = [all("attention")[0]!, all("attention-gradient")[0]!];
  const leaves = leavesOf(found);
  const attention = withOperands(found, leaves);
  const gradient = withOperands(foundGradient, [
    ...leaves,
    attention,
    resultNode(attention, 1),
    leaf("output-gradient", attention.axes),
  ]);
  const rotations = all("rotate").map((node) => withOperands(node, [leaf("rows", node.operand.axes)]));
  return {
    name: `text ${declarations(of, n)} at batch ${of.batch}, length ${of.length}, seed ${of.seed}`,
    sizes: { batch: of.batch, length: of.length, threads: of.threads, "query-start": 0 },
    attention,
    gradient,
    rotations,
    meaning: {
      byDocument: of.mask.text.includes("same_document"),
      mask: of.mask.means,
      scores: of.scores.map((score) => score.means),
      regions: of.regions.map((region) => region.means),
    },
    deviation: of.deviation,
    seed: of.seed,
  };
}

/** `count` specs from texts that follow from the seed. */
export function randomTextSpecs(count: number, seed: number): Spec[] {
  const choices = randomChoices(count, seed);
  return modelsOf(choices).map((model, n) => specOf(choices[n]!, n, model));
}
