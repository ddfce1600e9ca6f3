/** Attentions of specs over rows of unequal lengths: run as the trainer runs them, and interpreted row by row. */
import type { AttentionPhase } from "../../compiler/ir/attention-meaning.ts";
import * as e from "../../compiler/ir/expr.ts";
import { axis, gatherNode, graphOf, inputNode, mapNode, reduceNode } from "../../compiler/ir/graph-build.ts";
import type { Axis, Node } from "../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../../compiler/passes/pipeline.ts";
import type { TrainingData } from "../../runtime/data/training-data.ts";
import type { Device } from "../../runtime/device/device.ts";
import { HostBatch } from "../../runtime/train/batch.ts";
import { floats } from "../../runtime/train/model.ts";
import type { TrainableModel } from "../../runtime/train/model.ts";
import { batchesOf, giveBatch } from "../../runtime/train/row-runs.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { build } from "../schedule/support.ts";
import { randomNumbers } from "../support/random-values.ts";
import { lowered, type Row, type Shape } from "./elaborated.ts";

/** An attention of a spec in a phase. */
export interface Part {
  /** Unique; stands before the paths of its queries, keys and values. */
  readonly name: string;
  readonly text: string;
  readonly use: string;
  readonly phase: AttentionPhase;
  /** False where queries and keys stay as they are. */
  readonly rotates?: boolean;
}

/** What came out, row by row. */
export interface Results {
  /** Output of an attention for each row, [heads][length][size]. */
  readonly outputs: (name: string) => readonly Float64Array[];
  /** Sum of the losses of each row. */
  readonly losses: readonly number[];
  /** Gradient of the mean over all targets. */
  readonly gradients: ReadonlyMap<string, ArrayLike<number>>;
}

export interface Unequal {
  readonly native: Results;
  readonly meant: Results;
  /** Rows of an attention, with other values of some parameters. */
  readonly rows: (name: string, changed?: ReadonlyMap<string, Float64Array>) => readonly Row[];
  /** What the outputs of each row are multiplied with in the loss, 0 where there is no target. */
  readonly up: (name: string) => readonly Float64Array[];
  readonly values: ReadonlyMap<string, Float64Array>;
  /** Outputs of rows that all run at one length, as the kernels have them; `seed` says which numbers are past a row's end. */
  readonly padded: (name: string, length: number, seed: number) => readonly Float64Array[];
  readonly close: () => void;
}

const counts = (shape: Shape, name: string): number =>
  name === "q" || name === "up" ? shape.heads : shape.kvHeads;

/** Rows whose token at a position says where the numbers of that position lie; all but the first position have a target. */
function rowsOf(lengths: readonly number[], room: number): TrainingData {
  const fill: TrainingData["fillTrain"] = (number, buffers, row) => {
    const length = lengths[number]!;
    for (let p = 0; p < length; p++) {
      buffers.tokens[row * length + p] = number * room + p;
      buffers.targets[row * length + p] = p === 0 ? -1 : 0;
    }
    return length - 1;
  };
  return {
    trainLength: (number: number) => lengths[number]!,
    fillTrain: fill,
  } as Pick<TrainingData, "trainLength" | "fillTrain"> as TrainingData;
}

/**
 * Compiles attentions into one program, which trains the sum of their outputs times given numbers, or with `teach` what
 * their teachers ask, and runs rows of the given lengths, of at most `shape.length` positions.
 */
export async function unequalRows(
  device: Device,
  parts: readonly Part[],
  shape: Shape,
  lengths: readonly number[],
  seed: number,
  teach = false,
): Promise<Unequal> {
  const { length: room, heads, size } = shape;
  const places = axis("p", lengths.length * room);
  const tokens = inputNode("tokens");
  const looked = (name: string, axes: readonly Axis[]): Node =>
    gatherNode(leaf(name, [places, ...axes.slice(2)]), "p", tokens, name);
  const made = parts.map((part) => ({
    name: part.name,
    ...lowered(
      part.text,
      part.use,
      shape,
      part.phase,
      (name, axes) => looked(`${part.name}.${name}`, axes),
      part.rotates,
    ),
  }));
  const asked = made.flatMap(({ name, output, teachers }) => {
    if (teach) return teachers;
    const up = looked(`${name}.up`, output.axes);
    const product = mapNode([output, up], e.mul(e.operand(0), e.operand(1)), "weighed", output.axes);
    return [
      reduceNode(
        "sum",
        product,
        output.axes.slice(2).map((own) => own.name),
        "asked",
      ),
    ];
  });
  const targets = inputNode("targets");
  const sum = asked.map((_, n) => e.operand(n)).reduce<e.Expr>((all, one) => e.add(all, one), e.real(0));
  const counted = e.not(e.eq(e.operand(asked.length, "int"), e.int(-1)));
  const loss = mapNode([...asked, targets], e.select(counted, sum, e.real(0)), "loss", targets.axes);
  const tables = made.flatMap(({ instance }) => instance.parameters.map(({ name }) => name));
  const trained = teach
    ? tables
    : parts.flatMap(({ name }) => ["q", "k", "v"].map((own) => `${name}.${own}`));
  const outputs = Object.fromEntries(made.map(({ name, output }) => [`output:${name}`, output]));
  // Outputs and gradients of one phase: kernels of the forward half are compiled once.
  const graph = optimizeGraph(differentiate(graphOf({ ...(teach ? {} : outputs), loss }), trained));
  const built = await build({ train: graph }, device, { batch: 2, length: room });
  const { model } = built;
  const values = fill(model, seed);
  const data = rowsOf(lengths, room);
  const numbers = lengths.map((_, n) => n);
  const total = lengths.reduce((all, length) => all + length - 1, 0);

  /** [row][t][head][i] to [head][t][i]. */
  const turned = (
    from: ArrayLike<number>,
    at: number,
    stride: number,
    length: number,
    count: number,
  ): Float64Array =>
    Float64Array.from({ length: count * length * size }, (_, n) => {
      const [head, t, i] = [Math.floor(n / (length * size)), Math.floor(n / size) % length, n % size];
      return from[((at * stride + t) * count + head) * size + i]!;
    });
  const names = teach ? [] : parts.map(({ name }) => name);
  const taken = () => ({
    outputs: new Map(names.map((name) => [name, [] as Float64Array[]])),
    losses: [] as number[],
  });

  function onDevice(): Results {
    const { outputs: all, losses } = taken();
    for (const [run, batch] of batchesOf(data, "train", numbers, 2).entries()) {
      const { length } = batch;
      giveBatch(model, batch, 1 / total);
      model.run("train", { accumulate: run === 0 ? 0 : 1 });
      const lost = floats(model, "loss");
      for (let row = 0; row < batch.rows; row++) {
        const number = Math.floor(batch.tokens[row * length]! / room);
        for (const name of names)
          all.get(name)![number] = turned(model.tensor(`output:${name}`), row, length, length, heads);
        losses[number] = lost.subarray(row * length, (row + 1) * length).reduce((part, x) => part + x, 0);
      }
    }
    const gradients = new Map(
      trained.map((path) => [path, Float32Array.from(floats(model, `gradient:${path}`))] as const),
    );
    return { outputs: (name) => all.get(name)!, losses, gradients };
  }

  function interpreted(): Results {
    const { outputs: all, losses } = taken();
    const gradients = new Map(
      trained.map((path) => [path, new Float64Array(values.get(path)!.length)] as const),
    );
    for (const number of numbers) {
      const length = lengths[number]!;
      const batch = new HostBatch(1, length);
      batch.fill((row) => data.fillTrain(number, batch, row));
      const row = [1, length];
      const inputs = new Map<string, Float64Tensor>([
        ["input:tokens", { shape: row, data: Float64Array.from(batch.tokens) }],
        ["input:targets", { shape: row, data: Float64Array.from(batch.targets) }],
        ["input:loss-scale", { shape: [], data: Float64Array.of(1 / total) }],
      ]);
      for (const node of graph.nodes)
        if (node.kind === "parameter")
          inputs.set(node.path, {
            shape: node.axes.map((own) => (own.size.kind === "fixed" ? own.size.value : 0)),
            data: values.get(node.path)!,
          });
      const results = interpret(graph, inputs, { batch: 1, length });
      for (const name of names)
        all.get(name)![number] = turned(results.get(`output:${name}`)!.data, 0, length, length, heads);
      losses[number] = results.get("loss")!.data.reduce((part, x) => part + x, 0);
      for (const [path, sum] of gradients)
        results.get(`gradient:${path}`)!.data.forEach((x, n) => (sum[n]! += x));
    }
    return { outputs: (name) => all.get(name)!, losses, gradients };
  }

  const rowsWith = (name: string, changed: ReadonlyMap<string, Float64Array> = new Map()): readonly Row[] => {
    // A teacher reads no values.
    const none = new Float64Array(lengths.length * room * heads * size);
    const value = (path: string): Float64Array => changed.get(path) ?? values.get(path) ?? none;
    const { instance } = made.find((own) => own.name === name)!;
    return numbers.map((number) => {
      const length = lengths[number]!;
      const own = (which: string): Float64Array =>
        turned(value(`${name}.${which}`), number, room, length, counts(shape, which));
      return {
        ...{ ...shape, length, q: own("q"), k: own("k"), v: own("v") },
        tables: Object.fromEntries(instance.parameters.map((table) => [table.name, value(table.name)])),
      };
    });
  };

  return {
    native: onDevice(),
    meant: interpreted(),
    rows: rowsWith,
    values,
    up: (name) =>
      numbers.map((number) =>
        turned(values.get(`${name}.up`)!, number, room, lengths[number]!, heads).map((x, n) =>
          Math.floor(n / size) % lengths[number]! === 0 ? 0 : x,
        ),
      ),
    padded: (name, length, seed) => {
      model.resize({ batch: numbers.length, length });
      const next = randomNumbers(seed);
      const places = model.tensor("input:tokens");
      for (const number of numbers)
        for (let p = 0; p < length; p++)
          places[number * length + p] =
            p < lengths[number]! ? number * room + p : Math.floor(next() * lengths.length * room);
      model.tensor("input:targets").fill(-1);
      model.run("train", {});
      return numbers.map((number) =>
        turned(model.tensor(`output:${name}`), number, length, lengths[number]!, heads),
      );
    },
    close: () => model.close(),
  };
}

/** Fills every parameter with numbers that a float holds: queries and keys up to 2, others up to 1. */
function fill(model: TrainableModel, seed: number): ReadonlyMap<string, Float64Array> {
  const values = new Map<string, Float64Array>();
  const next = randomNumbers(seed);
  for (const { path } of model.program.parameters) {
    const view = floats(model, path);
    const spread = /\.[qk]$/.test(path) ? 2 : 1;
    for (let n = 0; n < view.length; n++) view[n] = spread * (2 * next() - 1);
    values.set(path, Float64Array.from(view));
  }
  return values;
}
