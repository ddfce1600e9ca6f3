/** Attentions of the language document's specs at small sizes: their Graph over given queries, keys and values, interpreted. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { instantiateAttention } from "../../compiler/check/instantiate-attention.ts";
import { instantiateRotation } from "../../compiler/check/instantiate-rotation.ts";
import type { AttentionTerm, Term } from "../../compiler/check/model/term.ts";
import { checkSpec } from "../../compiler/compile.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import type { AttentionInstance, AttentionPhase } from "../../compiler/ir/attention-meaning.ts";
import { axis, batchAxis, graphOf, tokenAxis } from "../../compiler/ir/graph-build.ts";
import type { Axis, Graph, Node } from "../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { graphProblems } from "../../compiler/ir/verify-graph.ts";
import { lowerAttention, type LoweredAttention } from "../../compiler/lower/attention-to-nodes.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { diskHost, root } from "../support/check-text.ts";
import { fillTensor, randomNumbers } from "../support/random-values.ts";
import { methodSetting } from "./method-setting.ts";

export interface Shape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly size: number;
  readonly length: number;
}

/** The items of a spec's file before its model. */
export const attentionOf = (spec: string): string =>
  readFileSync(join(root, "tests/fixtures/specs", `${spec}.lctx`), "utf8").replace(/^model [^]*$/m, "");

/** A row of one batch: queries [heads][length][size], keys and values [kvHeads][length][size]. */
export interface Row extends Shape {
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
  readonly tables: Readonly<Record<string, Float64Array>>;
}

export interface Elaborated {
  readonly instance: AttentionInstance;
  readonly graph: Graph;
  readonly inputs: Map<string, Float64Tensor>;
  readonly rows: readonly Row[];
  /** Rows of other inputs. */
  readonly rowsOf: (inputs: ReadonlyMap<string, Float64Tensor>) => readonly Row[];
  /** Output of each row, [heads][length][size]. */
  readonly outputs: () => readonly Float64Array[];
  /** Any output of the graph. */
  readonly run: (name: string) => Float64Tensor;
}

const batch = 2;

/** Makes an operand of an attention: `q` [b, t, h, d], `k` and `v` [b, t, g, d]. */
export type Operand = (name: string, axes: readonly Axis[]) => Node;

/** The attention `use` (`LongHeads(block: 4)`) of a file's text in a phase; queries and keys are rotated as by default. */
export function lowered(
  text: string,
  use: string,
  shape: Shape,
  phase: AttentionPhase,
  operand: Operand = leaf,
  rotates = true,
): LoweredAttention & { readonly instance: AttentionInstance } {
  const model = `model Tried = decoder { vocab 8  layers 1  heads 1  width 4  length 64  attention ${use} }`;
  const checked = checkSpec("tried.lctx", `${text}\n${model}\n`, diskHost);
  const wrong = checked.diagnostics.filter(({ severity }) => severity === "error");
  if (wrong.length > 0 || checked.project === null)
    throw new Error(wrong.map(({ code, title }) => `${code}: ${title}`).join("\n"));
  const method = methodSetting(checked.project.models.get("Tried")!, "attention");
  const rope = methodSetting(checked.project.models.get("Tried")!, "rope");
  const { heads, kvHeads, size, length } = shape;
  const reporter = new Reporter();
  const rotation = (width: number) => (rotates ? instantiateRotation(rope, width, reporter) : null);
  const instance = instantiateAttention(
    method,
    { heads, kvHeads, headSize: size, length, rotation },
    reporter,
  );
  const refused = instance?.phases[phase].unsupported ?? [];
  if (instance === null || refused.length > 0)
    throw new Error(
      [...reporter.diagnostics.map(({ title }) => title), ...refused.map(({ what }) => what)].join(),
    );
  const leaves = {
    q: operand("q", [batchAxis, tokenAxis, axis("h", heads), axis("d", size)]),
    k: operand("k", [batchAxis, tokenAxis, axis("g", kvHeads), axis("d", size)]),
    v: operand("v", [batchAxis, tokenAxis, axis("g", kvHeads), axis("d", size)]),
  };
  const terms = new Map<Term, Node>();
  const term = (node: Node): Term => {
    const made = { kind: "tokens", axes: [], extent: "token", plus: 0, site: node.site } as unknown as Term;
    terms.set(made, node);
    return made;
  };
  const attention: AttentionTerm = {
    kind: "attention",
    query: term(leaves.q),
    key: term(leaves.k),
    value: term(leaves.v),
    instance,
    tables: new Map(
      instance.parameters.map((table) => [
        table.name,
        term(
          leaf(
            table.name,
            table.axes.map((own) => axis(own.name, own.size)),
          ),
        ),
      ]),
    ),
    rotation: rotation(size),
    scale: 1 / Math.sqrt(size),
    prepended: [],
    axes: [
      { name: "h", size: heads },
      { name: "d", size },
    ],
    extent: "token",
    plus: 0,
    site: "tried",
    span: { file: "", start: 0, end: 0 },
  };
  return { instance, ...lowerAttention(attention, (own) => terms.get(own)!, phase, "tried") };
}

/** The same over given queries, keys and values, whose numbers a seed makes. */
export function elaborated(
  text: string,
  use: string,
  shape: Shape,
  phase: AttentionPhase,
  seed: number,
  rotates = true,
): Elaborated {
  const { heads, kvHeads, size, length } = shape;
  const { instance, output, teachers } = lowered(text, use, shape, phase, leaf, rotates);
  const named = teachers.map((node, n) => [`teacher${n}`, node] as const);
  const graph = graphOf(new Map([["output", output], ...named]));
  // The leaves stand for a model's nodes: all but they must be right.
  const problems = graphProblems(graph).filter((problem) => !/parameter of [qkv]\)/.test(problem));
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const next = randomNumbers(seed);
  const numbers = (extents: readonly number[], spread: number): Float64Tensor =>
    fillTensor(extents, () => spread * (2 * next() - 1));
  const inputs = new Map<string, Float64Tensor>([
    ["q", numbers([batch, length, heads, size], 2)],
    ["k", numbers([batch, length, kvHeads, size], 2)],
    ["v", numbers([batch, length, kvHeads, size], 1)],
  ]);
  for (const { name, axes } of instance.parameters)
    inputs.set(
      name,
      numbers(
        axes.map((own) => own.size),
        1,
      ),
    );
  const turned = ({ data }: Float64Tensor, at: number, count: number): Float64Array =>
    Float64Array.from({ length: count * length * size }, (_, n) => {
      const [head, t, i] = [Math.floor(n / (length * size)), Math.floor(n / size) % length, n % size];
      return data[((at * length + t) * count + head) * size + i]!;
    });
  const run = (name: string): Float64Tensor => interpret(graph, inputs, { batch, length }).get(name)!;
  const rowsOf = (given: ReadonlyMap<string, Float64Tensor>): readonly Row[] =>
    Array.from({ length: batch }, (_, at) => ({
      ...shape,
      q: turned(given.get("q")!, at, heads),
      k: turned(given.get("k")!, at, kvHeads),
      v: turned(given.get("v")!, at, kvHeads),
      tables: Object.fromEntries(instance.parameters.map(({ name }) => [name, given.get(name)!.data])),
    }));
  return {
    instance,
    graph,
    inputs,
    rows: rowsOf(inputs),
    rowsOf,
    run,
    outputs: () => {
      const all = run("output");
      return Array.from({ length: batch }, (_, at) => turned(all, at, heads));
    },
  };
}
