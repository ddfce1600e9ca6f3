/** Runs programs on the native device beside the interpreter: fills inputs, compares results. */
import { expect } from "vitest";
import { parametersOf } from "../../bench/decoder-graph.ts";
import { buildCudaProgram, buildProgram } from "../../compiler/build-program.ts";
import { axisExtent } from "../../compiler/ir/axis-extent.ts";
import type { Graph, UpdateRule } from "../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import { kernelCache } from "../support/kernel-cache.ts";
import { openCpuDevice } from "../../runtime/device/open.ts";
import type { Device } from "../../runtime/device/device.ts";
import { instantiate, type Executable, type RunSizes } from "../../runtime/executable.ts";
import { evaluateSize, type PhaseName } from "../../runtime/program.ts";

export const openNative = (threads = 2): Promise<Device> =>
  openCpuDevice({ kind: "native", threads, cacheFolder: kernelCache() });

export interface Built {
  readonly model: Executable;
  readonly graphs: Readonly<Partial<Record<"loss" | "train" | "logits", Graph>>>;
}

/** Compiles for the device and makes room; parameters are those of all graphs. */
export async function build(
  graphs: Built["graphs"],
  device: Device,
  sizes: RunSizes,
  update: UpdateRule | null = null,
): Promise<Built> {
  const parameters = new Map(
    Object.values(graphs).flatMap((graph) => parametersOf(graph).map((info) => [info.path, info] as const)),
  );
  const { program, sources } = (device.name === "cuda" ? buildCudaProgram : buildProgram)({
    name: "test",
    graphs,
    update,
    parameters: [...parameters.values()],
    maxLength: null,
  });
  const phases: PhaseName[] = [
    ...(Object.keys(graphs) as PhaseName[]),
    ...(update === null ? [] : (["update"] as const)),
  ];
  return { model: await instantiate(program, sources, device, sizes, phases), graphs };
}

/** Small, varied floats; a function of the seed. */
export function fillFloats(view: Float32Array, seed: number, scale = 1): void {
  let state = (seed * 2_654_435_761) >>> 0;
  for (let n = 0; n < view.length; n++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    view[n] = scale * (state / 2 ** 31 - 1);
  }
}

/** Fills parameters and batch data of an executable. `vocab` bounds tokens. */
export function fillModel({ model }: Built, vocab: number, scale: number): void {
  let seed = 1;
  for (const tensor of model.program.tensors) {
    if (tensor.role !== "parameter" && tensor.role !== "input") continue;
    let view: Float32Array | Int32Array;
    try {
      view = model.tensor(tensor.name);
    } catch {
      continue;
    }
    seed++;
    if (view instanceof Float32Array) {
      if (tensor.name === "input:loss-scale") view.fill(0.125);
      else fillFloats(view, seed, scale);
    } else if (tensor.name === "input:documents")
      view.forEach((_, n) => (view[n] = Math.floor((n % model.sizes.length) / 7)));
    else view.forEach((_, n) => (view[n] = (n * n * 5 + seed * n) % vocab));
    if (tensor.name === "input:targets") view.forEach((_, n) => n % 9 === 4 && (view[n] = -1));
  }
}

/** What the interpreter says for what an executable holds now. */
export function meaningOf(
  { model, graphs }: Built,
  phase: "loss" | "train" | "logits",
  scalars: Readonly<Record<string, number>> = {},
): ReadonlyMap<string, Float64Tensor> {
  const inputs = new Map<string, Float64Tensor>();
  for (const node of graphs[phase]!.nodes) {
    if (node.kind !== "parameter" && node.kind !== "input") continue;
    const name = node.kind === "input" ? `input:${node.name}` : node.path;
    const shape = node.axes.map(({ size }) => evaluateSize(axisExtent(size), model.sizes));
    const slot = [...model.plan.slots.values()].find(({ tensor }) => tensor.name === name);
    // An input that no launch reads has no memory; its value cannot matter.
    const data =
      slot === undefined
        ? new Float64Array(shape.reduce((product, extent) => product * extent, 1))
        : Float64Array.from(model.tensor(name));
    inputs.set(name, { shape, data });
  }
  return interpret(graphs[phase]!, inputs, model.sizes, scalars);
}

/** Every element within `tolerance` of the tensor's largest element (at least 1e-3 of it counts as that). */
export function expectClose(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(got.length, what).toBe(want.length);
  let largest = 1e-3;
  for (let n = 0; n < want.length; n++) largest = Math.max(largest, Math.abs(want[n]!));
  for (let n = 0; n < want.length; n++) {
    const off = Math.abs(got[n]! - want[n]!);
    if (!(off <= tolerance * largest)) expect.fail(`${what}[${n}]: ${got[n]} instead of ${want[n]}`);
  }
}
