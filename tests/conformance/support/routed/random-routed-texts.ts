/** Random specs whose attentions choose, weigh and teach: text through the checker, lowering, derivative and passes. */
import fc from "fast-check";
import { checkSpec } from "../../../../compiler/compile.ts";
import type { Model } from "../../../../compiler/check/model/model.ts";
import type { AttentionPhase } from "../../../../compiler/ir/attention-meaning.ts";
import type { Graph } from "../../../../compiler/ir/graph.ts";
import { modelToGraph } from "../../../../compiler/lower/model-to-graph.ts";
import { differentiate } from "../../../../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../../../../compiler/passes/pipeline.ts";
import type { Sizes } from "../../../../runtime/program.ts";
import { diskHost } from "../../../support/check-text.ts";
import { randomRouting, type Routing } from "./random-routings.ts";

/** A whole training step of a one-layer model, before and after the passes. */
export interface RoutedSpec {
  readonly name: string;
  readonly sizes: Sizes;
  /** Loss of each token, and its gradients. */
  readonly given: Graph;
  readonly optimized: Graph;
  /** The parameters whose gradients it has. */
  readonly trained: readonly string[];
  readonly teaches: boolean;
  readonly features: readonly string[];
  readonly deviation: number;
  readonly seed: number;
}

interface RoutedChoice {
  readonly routing: Routing;
  /** Clauses of the mask in each phase; null: the same in all. */
  readonly phase: AttentionPhase;
  readonly phases: "same" | "routed later" | "routed in training";
  readonly batch: number;
  readonly groups: number;
  readonly each: number;
  readonly pairs: number;
  readonly length: number;
  readonly threads: number;
  readonly rotation: string;
  readonly budget: number;
  readonly deviation: number;
  readonly seed: number;
}

const shape = fc.record({
  phase: fc.constantFrom<AttentionPhase>("training", "training", "evaluation", "decoding"),
  phases: fc.constantFrom<RoutedChoice["phases"]>("same", "same", "routed later", "routed in training"),
  batch: fc.integer({ min: 1, max: 2 }),
  groups: fc.integer({ min: 1, max: 2 }),
  each: fc.integer({ min: 1, max: 3 }),
  pairs: fc.constantFrom(1, 2, 3, 4, 6, 8),
  length: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 24 }) },
    { weight: 1, arbitrary: fc.constantFrom(63, 64, 65) },
    { weight: 1, arbitrary: fc.constantFrom(127, 129, 131) },
  ),
  threads: fc.integer({ min: 1, max: 3 }),
  rotation: fc.constantFrom("rotary()", "rotary(base: 500)", "none()", "interpolated(4)"),
  budget: fc.integer({ min: 0, max: 5 }),
  deviation: fc.constantFrom(0.6, 1),
  seed: fc.integer({ min: 0, max: 2 ** 30 }),
});

/** Long rows come with few and small heads: they would cost the interpreter too much. */
type Shape = Omit<RoutedChoice, "routing">;
const afford = (of: Shape): Shape =>
  of.length < 60
    ? of
    : { ...of, batch: 1, groups: 1, each: Math.min(of.each, 2), pairs: Math.min(of.pairs, 2) };

const choice: fc.Arbitrary<RoutedChoice> = shape
  .map(afford)
  .chain((of) =>
    randomRouting({ heads: of.groups * of.each, length: of.length }).map((routing) => ({ ...of, routing })),
  );

/** What `causal` alone shows in some phase is not what the lines were drawn for, but they stay. */
function maskLines({ routing, phases }: RoutedChoice): readonly string[] {
  if (routing.mask === null) return ["mask causal"];
  const routed = `mask causal and ${routing.mask}`;
  if (phases === "same" || routing.lines.some((line) => line.startsWith("rotate x"))) return [routed];
  return phases === "routed later"
    ? ["when training { mask causal }", `otherwise { ${routed} }`]
    : [`when training { ${routed} }`, "otherwise { mask causal }"];
}

function declarations(of: RoutedChoice, n: number): string {
  const { routing } = of;
  return `
attention A${n}(budget: Count = ${of.budget}) {
${[...routing.lines, ...maskLines(of)].map((line) => `  ${line}\n`).join("")}}

model M${n} = decoder {
  vocab 11   layers 1   heads ${of.groups * of.each}   kv_heads ${of.groups}   width 6   size ${2 * of.pairs}
  hidden 5   length 256   attention A${n}(${routing.features.includes("budget as a parameter") ? `budget: ${of.budget}` : ""})   rope ${of.rotation}
}
`;
}

/** Models of the choices, in order, all checked as one file. Throws when the checker refuses one. */
function modelsOf(choices: readonly RoutedChoice[]): Model[] {
  const text = `import std.masks { causal }\n${choices.map(declarations).join("")}`;
  const { project, diagnostics } = checkSpec("routed.lctx", text, diskHost);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (project === null || errors.length > 0)
    throw new Error(
      errors
        .map(
          ({ code, title, primary }) =>
            `${code}: ${title}: ${text.slice(primary.span.start, primary.span.end)}`,
        )
        .join("\n"),
    );
  return choices.map((_, n) => project.models.get(`M${n}`)!);
}

function specOf(of: RoutedChoice, n: number, model: Model): RoutedSpec {
  const name = `text ${declarations(of, n)} in ${of.phase} at batch ${of.batch}, length ${of.length}, seed ${of.seed}`;
  const teaches = of.routing.teaches === true;
  const loss = modelToGraph(model, { phase: of.phase, output: teaches ? "teach" : "loss" });
  const read = new Set(loss.nodes.flatMap((node) => (node.kind === "parameter" ? [node.path] : [])));
  const trained = model.parameters.map(({ path }) => path).filter((path) => read.has(path));
  const given = differentiate(loss, trained);
  const kinds = new Set(given.nodes.map(({ kind }) => kind));
  const features = [
    ...(kinds.has("select")
      ? of.routing.features
      : of.routing.features.filter((own) => !/budget|threshold|by /.test(own))),
    ...(kinds.has("select") ? ["a selection"] : []),
    ...(kinds.has("pair-reduce") ? ["a fold over pairs"] : []),
    ...(kinds.has("log-sum-exp") ? ["a log-sum-exp"] : []),
    ...(of.phases === "same" ? [] : ["phases"]),
    ...(of.groups < of.groups * of.each ? ["grouped heads"] : []),
    ...(of.batch > 1 ? ["more than one row"] : []),
    ...(of.length % 2 === 1 ? ["odd length"] : []),
    ...(of.length > 64 ? ["length above 64"] : []),
    ...blockFeatures(of),
  ];
  const sizes = { batch: of.batch, length: of.length, threads: of.threads, "query-start": 0 };
  const { deviation, seed } = of;
  return { name, sizes, given, optimized: optimizeGraph(given), trained, teaches, features, deviation, seed };
}

/** How the blocks of a text lie to its length. */
function blockFeatures({ routing, length }: RoutedChoice): readonly string[] {
  const sizes = routing.lines.flatMap(
    (line) => /^blocks \w+ by (\d+)/.exec(line)?.slice(1).map(Number) ?? [],
  );
  const when: readonly [string, (n: number) => boolean][] = [
    ["length below the block", (n) => length < n],
    ["length of one block", (n) => length === n],
    ["length of one block and one", (n) => length === n + 1],
    ["a short last block", (n) => length > n && length % n !== 0],
  ];
  return when.flatMap(([name, holds]) => (sizes.some(holds) ? [name] : []));
}

/** `count` specs that follow from the seed. */
export function randomRoutedSpecs(count: number, seed: number): RoutedSpec[] {
  const choices = fc.sample(choice, { numRuns: count, seed });
  return modelsOf(choices).map((model, n) => specOf(choices[n]!, n, model));
}
