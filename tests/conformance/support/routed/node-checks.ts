/** One node of a graph over operands that are given: its kernel against the interpreter, with what single precision allows. */
import { exprEvaluator, noValues } from "../../../../compiler/ir/evaluate-expr.ts";
import { real } from "../../../../compiler/ir/expr.ts";
import { graphOf, resultNode } from "../../../../compiler/ir/graph-build.ts";
import { nodeOperands, withOperands, type NodeOf } from "../../../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../../../compiler/ir/graph-results.ts";
import type { Node, NodeKind } from "../../../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../../../compiler/ir/interpret.ts";
import type { Sizes } from "../../../../runtime/program.ts";
import { leaf, type Spec } from "../random-specs.ts";
import { attentionTolerances, worst } from "../rule-1.ts";
import { sizedEvaluator, type SizedValues } from "../sized-expr.ts";
import { rowTurner } from "../turned-row.ts";
import { hasWeighting, weightedTolerances } from "../weighted-tolerance.ts";

const unit = 2 ** -24;
const factor = 8;
const tiny = 2 ** -125;

/** Kinds that are compared, each by itself: those that the new constructs are made of. */
const compared = [
  "select",
  "log-sum-exp",
  "pair-reduce",
  "block-reduce",
  "block-spread",
  "running-sum",
  "attention",
  "attention-gradient",
] as const satisfies readonly NodeKind[];
export type ComparedKind = (typeof compared)[number];
export type ComparedNode = NodeOf<ComparedKind>;

export const isCompared = (node: Node): node is ComparedNode =>
  (compared as readonly NodeKind[]).includes(node.kind);

/** The node over leaves that have the operands' axes. */
export interface AloneNode {
  readonly node: ComparedNode;
  /** Paths of its operands. */
  readonly paths: readonly string[];
}

/** Names that the tolerances of attention know its operands by; the others are numbered. */
function pathsOf(node: ComparedNode): readonly string[] {
  const count = nodeOperands(node).length;
  const numbered = Array.from({ length: count }, (_, n) => `operand${n}`);
  if (node.kind !== "attention" && node.kind !== "attention-gradient") return numbered;
  const names = [
    ...node.regions.flatMap((_, r) => [`query${r}`, `key${r}`]),
    "value",
    ...node.buffers.map((_, n) => `buffer${n}`),
    ...(node.prepended === null ? [] : ["early-key", "early-value"]),
    ...(node.kind === "attention" ? [] : ["output", "log-sum-exp", "output-gradient"]),
  ];
  if (names.length !== count) throw new Error(`${node.site}: ${count} operands, ${names.length} names`);
  return names;
}

export function alone(node: ComparedNode): AloneNode {
  const paths = pathsOf(node);
  const own = nodeOperands(node).map((operand, n): Node => ({
    ...leaf(paths[n]!, operand.axes),
    dtype: operand.dtype,
  }));
  return { node: withOperands(node, own) as ComparedNode, paths };
}

export type Get = (path: string) => Float64Tensor;

/** Results of the node over given operands, in float64. */
export function meaningOf(
  node: ComparedNode,
  inputs: ReadonlyMap<string, Float64Tensor>,
  sizes: Sizes,
): Float64Tensor[] {
  const outputs: Record<string, Node> = {};
  nodeResults(node).forEach((_, n) => (outputs[`r${n}`] = resultNode(node, n)));
  const found = interpret(graphOf(outputs), inputs, sizes, {});
  return Object.keys(outputs).map((name) => found.get(name)!);
}

/** Leaves of expressions over pairs, at a place that can be moved. */
function pairPlace(node: { readonly buffers: readonly Node[] }, get: Get, sizes: Sizes, queries: number) {
  const place = { b: 0, q: 0, h: 0, k: 0, logit: NaN, logitSize: 0 };
  const tables = node.buffers.map((buffer) => (buffer.kind === "parameter" ? get(buffer.path) : null));
  const batched = node.buffers.map((buffer) => buffer.axes[0]?.name === "b");
  const values: SizedValues = {
    ...noValues,
    index: (name) => (name === "q" ? place.q : name === "k" ? place.k : place.h),
    size: (name) => (name === "length" ? sizes.length : name === "query-length" ? queries : 0),
    logit: () => place.logit,
    logitSize: () => place.logitSize,
    words: (n) => tables[n]!.shape.at(-1)!,
    load: (n, indices) => {
      const { data, shape } = tables[n]!;
      const skip = batched[n] ? 1 : 0;
      return data[
        indices.reduce((flat, at, axis) => flat * shape[axis + skip]! + at, batched[n] ? place.b : 0)
      ]!;
    },
  };
  return { place, values };
}

interface Sides {
  readonly query: Float64Tensor;
  readonly key: Float64Tensor;
}

/** The logit of a pair and the same on absolute values. */
function logitOf(
  { query, key }: Sides,
  scale: number,
  b: number,
  q: number,
  k: number,
  h: number,
  turned: ReturnType<typeof rowTurner> | null = null,
): [number, number] {
  const [, rows, heads, d] = query.shape as [number, number, number, number];
  const [, keys, groups] = key.shape as [number, number, number, number];
  const [qa, ka] = [
    ((b * rows + q) * heads + h) * d,
    ((b * keys + k) * groups + Math.floor(h / (heads / groups))) * d,
  ];
  const row = query.data.slice(qa, qa + d);
  const [own, sizes] = turned?.(row) ?? [row, row.map(Math.abs)];
  let [dot, size] = [0, 0];
  for (let i = 0; i < d; i++) {
    dot += scale * own[i]! * key.data[ka + i]!;
    size += Math.abs(scale * sizes[i]! * key.data[ka + i]!);
  }
  return [dot, size];
}

/** Allowed errors of folds over pairs and of log-sum-exps: the same folds over the sizes of what they take in. */
function foldTolerances(
  node: NodeOf<"pair-reduce" | "log-sum-exp">,
  get: Get,
  sizes: Sizes,
  [result]: readonly Float64Tensor[],
): Float64Array {
  const sides = node.regions.map(({ query, key }) => ({
    query: get(query.kind === "parameter" ? query.path : ""),
    key: get(key.kind === "parameter" ? key.path : ""),
  }));
  const [batches, queries, heads] = sides[0]!.query.shape as [number, number, number];
  const keys = sides[0]!.key.shape[1]!;
  const { place, values } = pairPlace(node, get, sizes, queries);
  const mask = exprEvaluator(node.mask);
  const whens = node.regions.map(({ when }) => exprEvaluator(when));
  const turners = node.regions.map(({ turn }) => (turn === null ? null : rowTurner(turn, values)));
  const body = sizedEvaluator(node.kind === "pair-reduce" ? node.body : node.score);
  const targets = node.kind === "pair-reduce" ? node.targets.map(exprEvaluator) : [];
  const extents = result!.shape.slice(1);
  const bound = new Float64Array(result!.data.length);
  for (let b = 0; b < batches; b++)
    for (let q = 0; q < queries; q++)
      for (let h = 0; h < heads; h++)
        for (let k = 0; k < keys; k++) {
          Object.assign(place, { b, q, h, k, logit: NaN });
          if (mask(values) === 0) continue;
          const region = whens.findIndex((when) => when(values) !== 0);
          [place.logit, place.logitSize] = logitOf(sides[region]!, node.scale, b, q, k, h, turners[region]);
          const { size } = body(values);
          if (node.kind === "log-sum-exp") {
            const at = (b * queries + q) * heads + h;
            bound[at] = Math.max(bound[at]!, size + 1);
            continue;
          }
          const own = targets.map((target) => target(values));
          if (own.some((at, n) => at < 0 || at >= extents[n]!)) continue;
          const at = own.reduce((flat, one, n) => flat * extents[n]! + one, b);
          bound[at] = node.op === "sum" ? bound[at]! + size : Math.max(bound[at]!, size);
        }
  return bound.map(
    (x, n) =>
      factor * unit * (x + (Number.isFinite(result!.data[n]!) ? Math.abs(result!.data[n]!) : 0)) + tiny,
  );
}

/** What a selection has wrong: rows of other members, except where single precision cannot tell bodies from the last chosen one. */
function selectionProblem(
  node: NodeOf<"select">,
  get: Get,
  sizes: Sizes,
  want: Float64Tensor,
  given: Int32Array,
): string | null {
  const words = want.shape.at(-1)!;
  const path = (own: Node | null): Float64Tensor | null => (own?.kind === "parameter" ? get(own.path) : null);
  const [query, key] = [path(node.query), path(node.key)];
  const heads = node.perHead ? want.shape.at(-2)! : 1;
  const rows = node.perRow ? want.shape[1]! : 1;
  const { place, values } = pairPlace(node, get, sizes, rows);
  const body = sizedEvaluator(node.body);
  const amount = sizedEvaluator(node.choose.kind === "top" ? real(0) : node.choose.threshold);
  const [where, always] = [exprEvaluator(node.where), exprEvaluator(node.always)];
  const member = (of: ArrayLike<number>, row: number, n: number): boolean =>
    ((of[row * words + Math.floor(n / 32)]! >>> (n % 32)) & 1) === 1;
  const candidates = key === null ? candidatesOf(node, sizes) : key.shape[1]!;
  for (let row = 0; row < want.data.length / words; row++) {
    const members = Array.from({ length: 32 * words }, (_, n) => n);
    const differing = members.filter((n) => member(want.data, row, n) !== member(given, row, n));
    if (differing.length === 0) continue;
    Object.assign(place, {
      b: Math.floor(row / (rows * heads)),
      q: Math.floor(row / heads) % rows,
      h: row % heads,
    });
    const say = (why: string): string =>
      `row ${row} has ${members.filter((n) => member(given, row, n)).join()} for ${members.filter((n) => member(want.data, row, n)).join()}: ${why}`;
    if (differing.some((n) => n >= candidates)) return say("outside the candidates");
    const chosen = members.filter((n) => member(given, row, n)).length;
    if (node.choose.kind === "top" && chosen !== members.filter((n) => member(want.data, row, n)).length)
      return say("other numbers of them");
    const bodies = members.slice(0, candidates).map((k) => {
      Object.assign(place, { k, logit: NaN });
      if (where(values) === 0) return null;
      if (query !== null && key !== null)
        [place.logit, place.logitSize] = logitOf({ query, key }, node.scale, place.b, place.q, k, place.h);
      return { forced: always(values) !== 0, ...body(values) };
    });
    const free = members.filter((n) => n < candidates && bodies[n] !== null && !bodies[n]!.forced);
    if (differing.some((n) => !free.includes(n))) return say("a candidate that has no choice");
    // The body of the last chosen one, or the threshold.
    const last =
      node.choose.kind === "above"
        ? amount(values)
        : bodies[
            free
              .filter((n) => member(want.data, row, n))
              .reduce((a, b) => (bodies[b]!.value < bodies[a]!.value ? b : a))
          ]!;
    for (const n of differing) {
      const { value, size } = bodies[n]!;
      const allowed = factor * unit * (size + last.size);
      if (!(Math.abs(value - last.value) <= allowed))
        return say(`${n} has ${value}, the last ${last.value}, apart by more than ${allowed}`);
    }
  }
  return null;
}

const candidatesOf = ({ candidates }: NodeOf<"select">, sizes: Sizes): number => {
  if (candidates.kind === "fixed") return candidates.value;
  if (candidates.kind === "batch") return sizes.batch;
  return Math.ceil((sizes.length + candidates.plus) / candidates.by);
};

function blockTolerances(
  node: NodeOf<"block-reduce" | "block-spread" | "running-sum">,
  get: Get,
  sizes: Sizes,
  wants: readonly Float64Tensor[],
): Float64Array {
  if (
    node.kind === "block-spread" ||
    (node.kind === "block-reduce" && (node.op === "max" || node.op === "min"))
  )
    return new Float64Array(wants[0]!.data.length);
  const { operand } = node;
  const path = operand.kind === "parameter" ? operand.path : "";
  const { shape, data } = get(path);
  const absolute = meaningOf(node, new Map([[path, { shape, data: data.map(Math.abs) }]]), sizes)[0]!;
  return absolute.data.map((x) => factor * unit * x + tiny);
}

/** Allowed errors of an attention or of its gradient, by the rules for both together. */
function attentionBounds(
  node: NodeOf<"attention" | "attention-gradient">,
  get: Get,
  sizes: Sizes,
  wants: readonly Float64Tensor[],
): readonly Float64Array[] {
  const forward = node.kind === "attention";
  const zeros = ({ shape }: Float64Tensor): Float64Tensor => ({
    shape,
    data: new Float64Array(shape.reduce((a, b) => a * b, 1)),
  });
  // Without a gradient upstream, nothing but the output and the sums has errors.
  const gradient = forward ? { ...node, scoreSlope: real(1), bufferGradients: [], weightSlopes: null } : node;
  const sides = node.regions.flatMap((_, r) => [`query${r}`, `key${r}`]);
  const early = node.prepended === null ? [] : ["early-key", "early-value"];
  const results = forward
    ? [...wants, ...[...sides, "value", ...early].map((path) => zeros(get(path)))]
    : [get("output"), get("log-sum-exp"), ...wants];
  const spec = { sizes, attention: node, gradient } as unknown as Spec;
  const given: Get = (path) => (forward && path === "output-gradient" ? zeros(wants[0]!) : get(path));
  const bounds = (hasWeighting(spec) ? weightedTolerances : attentionTolerances)(spec, given, results);
  return forward ? bounds.slice(0, 2) : bounds.slice(2);
}

/** A line for each result that differs. `row` are the operands' values, `wants` what the node means over them. */
export function nodeProblems(
  node: ComparedNode,
  get: Get,
  sizes: Sizes,
  wants: readonly Float64Tensor[],
  given: readonly (Float32Array | Int32Array)[],
): readonly string[] {
  if (node.kind === "select") {
    const problem = selectionProblem(node, get, sizes, wants[0]!, new Int32Array(given[0]!.buffer));
    return problem === null ? [] : [problem];
  }
  const tolerances = tolerancesOf(node, get, sizes, wants);
  return wants.flatMap((want, r) => {
    const error = worst(given[r]!, want.data, tolerances[r]!);
    return typeof error === "string" || !(error <= 1) ? [`result ${r}: ${error}`] : [];
  });
}

function tolerancesOf(
  node: Exclude<ComparedNode, NodeOf<"select">>,
  get: Get,
  sizes: Sizes,
  wants: readonly Float64Tensor[],
): readonly Float64Array[] {
  switch (node.kind) {
    case "log-sum-exp":
    case "pair-reduce":
      return [foldTolerances(node, get, sizes, wants)];
    case "block-reduce":
    case "block-spread":
    case "running-sum":
      return [blockTolerances(node, get, sizes, wants)];
    case "attention":
    case "attention-gradient":
      return attentionBounds(node, get, sizes, wants);
    default:
      return node satisfies never;
  }
}
