/** Compares one training pass and update of a compiled stage, on whatever device, with the interpreter. */
import { axisExtent } from "../../compiler/ir/axis-extent.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import type { Device, ProgramSources } from "../../runtime/device/device.ts";
import { instantiate, type Executable, type RunSizes } from "../../runtime/executable.ts";
import { evaluateSize, type Program } from "../../runtime/program.ts";
import { initialise } from "../../runtime/random/init.ts";
import { RandomStream, keyOf } from "../../runtime/random/stream.ts";
import { tensorNames, viewIfUsed } from "../../runtime/train/model.ts";

export interface ComparedStage {
  readonly program: Program;
  readonly kernels: ProgramSources;
  readonly train: Graph;
}

export interface StepComparison {
  /** Tensors compared: the loss and every gradient. */
  readonly tensors: number;
  /** Largest difference of any, as a share of its tensor's largest element, and which tensor. */
  readonly worst: number;
  readonly worstOf: string;
  /** What else is wrong: other bits in a second run, a norm that is not the gradients', weights that did not change. */
  readonly problems: readonly string[];
}

/** Weights as declared and a little noise, so that none is constant; text over the whole vocabulary. */
export function fillForTraining(model: Executable): void {
  const noise = new RandomStream(keyOf(7, "noise"));
  for (const info of model.program.parameters) {
    const values = model.tensor(info.path) as Float32Array;
    initialise(values, info, 3);
    for (let n = 0; n < values.length; n++) values[n]! += 0.05 * (2 * noise.uniform() - 1);
  }
  const { batch, length } = model.sizes;
  const logits = model.program.tensors.find(({ name }) => name === tensorNames.logits);
  const vocabulary = Math.min(256, Number(logits?.shape.at(-1) ?? 256));
  const text = Int32Array.from({ length: batch * length + 1 }, (_, n) => (n * n * 7 + (n >> 3)) % vocabulary);
  viewIfUsed(model, tensorNames.tokens)?.set(text.subarray(0, batch * length));
  viewIfUsed(model, tensorNames.targets)?.set(text.subarray(1));
  const documents = viewIfUsed(model, tensorNames.documents);
  const starts = viewIfUsed(model, tensorNames.starts);
  for (let n = 0; n < batch * length; n++) {
    const place = n % length;
    if (documents !== null) documents[n] = Math.floor(place / 23);
    if (starts !== null) starts[n] = place - (place % 23);
  }
  viewIfUsed(model, tensorNames.lossScale)?.fill(1 / (batch * length));
}

/** What the interpreter reads: everything that the device now holds. */
function inputsOf(model: Executable, graph: Graph): ReadonlyMap<string, Float64Tensor> {
  const inputs = new Map<string, Float64Tensor>();
  for (const node of graph.nodes) {
    if (node.kind !== "parameter" && node.kind !== "input") continue;
    const name = node.kind === "input" ? `input:${node.name}` : node.path;
    const shape = node.axes.map(({ size }) => evaluateSize(axisExtent(size), model.sizes));
    const view = viewIfUsed(model, name);
    const count = shape.reduce((product, extent) => product * extent, 1);
    inputs.set(name, { shape, data: view === null ? new Float64Array(count) : Float64Array.from(view) });
  }
  return inputs;
}

function differenceOf(found: ArrayLike<number>, want: Float64Array): number {
  let [largest, most] = [1e-3, 0];
  for (const x of want) largest = Math.max(largest, Math.abs(x));
  for (let n = 0; n < want.length; n++) {
    const off = Math.abs(found[n]! - want[n]!);
    most = Number.isNaN(off) ? Infinity : Math.max(most, off);
  }
  return most / largest;
}

const sameBits = (a: Float32Array | Int32Array, b: Float32Array | Int32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

/** Runs the stage at these sizes twice, then its update. */
export async function compareTraining(
  stage: ComparedStage,
  device: Device,
  sizes: RunSizes,
): Promise<StepComparison> {
  const model = await instantiate(stage.program, stage.kernels, device, sizes, ["train", "update"]);
  try {
    fillForTraining(model);
    const scalars = { lr: 1e-3, step: 3, seed: 11, clip: 3.4e38, accumulate: 0 };
    const wanted = interpret(stage.train, inputsOf(model, stage.train), model.sizes, scalars);
    const problems: string[] = [];
    model.run("train", scalars);
    const found = new Map([...wanted.keys()].map((name) => [name, model.tensor(name).slice()] as const));
    model.run("train", scalars);
    for (const [name, values] of found)
      if (!sameBits(values, model.tensor(name))) problems.push(`${name} has other bits in a second run`);
    let [worst, worstOf] = [0, ""];
    let squares = 0;
    for (const [name, { data }] of wanted) {
      const off = differenceOf(found.get(name)!, data);
      if (!(off <= worst)) [worst, worstOf] = [off, name];
      if (name.startsWith("gradient:")) for (const x of data) squares += x * x;
    }
    const trained = stage.program.parameters.filter(({ trainable }) => trainable);
    const before = trained.map(({ path }) => model.tensor(path).slice());
    model.run("update", scalars);
    const norm = model.tensor(tensorNames.gradientNorm)[0]!;
    if (!(Math.abs(norm / Math.sqrt(squares) - 1) < 1e-3))
      problems.push(`the gradient norm is ${norm} for ${Math.sqrt(squares)}`);
    trained.forEach(({ path }, n) => {
      const after = model.tensor(path) as Float32Array;
      if (!after.every((x) => Number.isFinite(x))) problems.push(`${path} is not finite after the update`);
      else if (sameBits(after, before[n]!)) problems.push(`${path} did not change`);
    });
    return { tensors: wanted.size, worst, worstOf, problems };
  } finally {
    model.close();
  }
}
