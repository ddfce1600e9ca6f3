/** Attentions of specs as programs on a device, forward and gradient: queries, keys and values are rows of parameters. */
import type { AttentionPhase } from "../../compiler/ir/attention-meaning.ts";
import * as e from "../../compiler/ir/expr.ts";
import {
  axis,
  batchAxis,
  gatherNode,
  graphOf,
  mapNode,
  reduceNode,
  tokenAxis,
} from "../../compiler/ir/graph-build.ts";
import type { Axis, Node } from "../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../../compiler/passes/pipeline.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import type { Device } from "../../runtime/device/device.ts";
import { build, type Built } from "../schedule/support.ts";
import { randomNumbers } from "../support/random-values.ts";
import { lowered, type Row, type Shape } from "./elaborated.ts";

/** Rows of text in a batch, and positions that each has room for. */
export const batch = 2;
const room = 256;

/** A parameter with a row for each position of each row of the batch. */
function positioned(name: string, axes: readonly Axis[]): Node {
  const table = leaf(name, [axis("p", batch * room), ...axes.slice(2)]);
  const at = mapNode([], e.add(e.mul(e.index("b"), e.int(room)), e.index("t")), "place", [
    batchAxis,
    tokenAxis,
  ]);
  return gatherNode(table, "p", at, name);
}

export interface OnDevice {
  /** Numbers of a seed at a length of at most 256, run; outputs of positions after `last` are worth nothing to what is trained. */
  readonly at: (length: number, seed: number, last?: number) => Ran;
  readonly close: () => void;
}

export interface Ran {
  readonly rows: readonly Row[];
  /** Of each row: the output as the device and as the interpreter have it, [heads][length][size]. */
  readonly outputs: readonly Float64Array[];
  readonly meant: () => readonly Float64Array[];
  /** The gradient of each parameter, as the device and as the interpreter have it. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  readonly meantGradients: () => ReadonlyMap<string, Float64Array>;
  /** What the gradients are of, for these rows and numbers in place of the given ones of a parameter. */
  readonly up: readonly Float64Array[];
  /** Values that a parameter has. */
  readonly values: ReadonlyMap<string, Float64Array>;
  /** The rows with other values of a parameter. */
  readonly rowsWith: (path: string, values: Float64Array) => readonly Row[];
  /** Losses [batch] of the teachers, as the device has them; empty when there are none. */
  readonly taught: Float32Array;
}

/**
 * Compiles an attention for a device. Trained is the sum of its output times given numbers, or with `teach` what its
 * teachers ask.
 */
export async function onDevice(
  device: Device,
  text: string,
  use: string,
  of: Omit<Shape, "length">,
  phase: AttentionPhase,
  teach = false,
): Promise<OnDevice> {
  const { heads, kvHeads, size } = of;
  const made = lowered(text, use, { ...of, length: room }, phase, positioned);
  const up = positioned("up", made.output.axes);
  const product = mapNode([made.output, up], e.mul(e.operand(0), e.operand(1)), "weighed", made.output.axes);
  const total = reduceNode(
    "sum",
    product,
    made.output.axes.slice(2).map((own) => own.name),
    "loss",
  );
  const tables = made.instance.parameters.map(({ name }) => name);
  const loss = teach ? made.teachers[0]! : total;
  const trained = teach ? tables : ["q", "k", "v"];
  const shown = { output: made.output, ...(teach ? { taught: loss } : {}) };
  const graphs = {
    loss: optimizeGraph(graphOf(shown)),
    train: optimizeGraph(differentiate(graphOf({ loss }), trained)),
  };
  const built = await build(graphs, device, { batch, length: 1 });
  const counts = { q: heads, k: kvHeads, v: kvHeads } as const;
  return {
    at(length, seed, last = Infinity) {
      built.model.resize({ batch, length });
      const values = fill(built, seed, last);
      built.model.run("loss", {});
      const output = Float64Array.from(built.model.tensor("output"));
      const taught = teach
        ? Float32Array.from(built.model.tensor("taught") as Float32Array)
        : new Float32Array();
      built.model.run("train", {});
      const inputs = new Map<string, Float64Tensor>(
        [...values].map(([path, data]) => [path, { shape: [data.length], data }]),
      );
      for (const graph of Object.values(graphs))
        for (const node of graph.nodes)
          if (node.kind === "parameter")
            inputs.set(node.path, {
              shape: node.axes.map((own) => (own.size.kind === "fixed" ? own.size.value : 0)),
              data: values.get(node.path)!,
            });
      inputs.set("input:loss-scale", { shape: [], data: Float64Array.of(1) });
      const turned = (data: Float64Array, at: number, count: number, stride: number): Float64Array =>
        Float64Array.from({ length: count * length * size }, (_, n) => {
          const [head, t, i] = [Math.floor(n / (length * size)), Math.floor(n / size) % length, n % size];
          return data[((at * stride + t) * count + head) * size + i]!;
        });
      const each = <T>(make: (row: number) => T): readonly T[] =>
        Array.from({ length: batch }, (_, n) => make(n));
      const rowsOf = (own: ReadonlyMap<string, Float64Array>): readonly Row[] =>
        each((row) => ({
          ...{ heads, kvHeads, size, length },
          q: turned(own.get("q")!, row, counts.q, room),
          k: turned(own.get("k")!, row, counts.k, room),
          v: turned(own.get("v")!, row, counts.v, room),
          tables: Object.fromEntries(tables.map((name) => [name, own.get(name) ?? new Float64Array()])),
        }));
      return {
        rows: rowsOf(values),
        outputs: each((row) => turned(output, row, heads, length)),
        meant: () => {
          const all = interpret(graphs.loss, inputs, { batch, length }).get("output")!.data;
          return each((row) => turned(all, row, heads, length));
        },
        gradients: new Map(
          trained.map((path) => [
            path,
            Float32Array.from(built.model.tensor(`gradient:${path}`) as Float32Array),
          ]),
        ),
        meantGradients: () => {
          const all = interpret(graphs.train, inputs, { batch, length });
          return new Map(trained.map((path) => [path, all.get(`gradient:${path}`)!.data]));
        },
        up: values.has("up") ? each((row) => turned(values.get("up")!, row, heads, room)) : [],
        values,
        rowsWith: (path, other) => rowsOf(new Map(values).set(path, other)),
        taught,
      };
    },
    close: () => built.model.close(),
  };
}

/** Fills every parameter with numbers that a float holds: queries and keys up to 2, others up to 1. */
function fill({ model }: Built, seed: number, last: number): ReadonlyMap<string, Float64Array> {
  const values = new Map<string, Float64Array>();
  const next = randomNumbers(seed);
  for (const tensor of model.program.tensors) {
    if (tensor.role === "input") model.tensor(tensor.name).fill(1);
    if (tensor.role !== "parameter") continue;
    const view = model.tensor(tensor.name) as Float32Array;
    const spread = tensor.name === "q" || tensor.name === "k" ? 2 : 1;
    for (let n = 0; n < view.length; n++) view[n] = spread * (2 * next() - 1);
    if (tensor.name === "up")
      view.forEach((_, n) => Math.floor(n / (view.length / (batch * room))) % room > last && (view[n] = 0));
    values.set(tensor.name, Float64Array.from(view));
  }
  return values;
}
