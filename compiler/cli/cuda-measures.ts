/** What kernels take where a CUDA compiler is found, and their times where a GPU is. */
import { LctxError } from "../../runtime/errors.ts";
import { compileOptions, type CudaCompiler } from "../../runtime/device/cuda/compiler.ts";
import { openCuda, type CudaDevice } from "../../runtime/device/cuda/device.ts";
import { findCudaCompiler } from "../../runtime/device/cuda/find-compiler.ts";
import type { CudaCall, CudaSource } from "../../runtime/device/cuda/launch.ts";
import { nodeOperands } from "../ir/graph-operands.ts";
import { nodeResults } from "../ir/graph-results.ts";
import type { AttentionGradientNode, AttentionNode, Axis } from "../ir/graph.ts";
import type { RunSizes } from "./cuda-expected.ts";
import { cacheFolder } from "./paths.ts";

export interface Resources {
  readonly registers: number;
  /** Of one thread, stores and loads. */
  readonly spillBytes: number;
}

export interface CudaMeasures {
  /** Whether the GPU here, or without one the GPU that is told about, is of compute capability 9.0. */
  readonly hopper: boolean;
  /** Where figures come from, and why some are missing. */
  readonly note: string;
  /** Null without a compiler. */
  resources(source: CudaSource): Promise<Resources | null>;
  /** Milliseconds, the median of five; null without a GPU. */
  time(call: CudaCall, node: AttentionNode | AttentionGradientNode, sizes: RunSizes): Promise<number | null>;
  close(): void;
}

const elementsOf = (axes: readonly Axis[], { batch, length }: RunSizes): number =>
  axes.reduce(
    (product, { size }) =>
      product *
      (size.kind === "fixed" ? size.value : size.kind === "batch" ? batch : Math.max(0, length + size.plus)),
    1,
  );

/** Registers and spills from what ptxas reports. */
export function resourcesIn(log: string): Resources | null {
  const registers = /Used (\d+) registers/.exec(log);
  const spills = /(\d+) bytes spill stores, (\d+) bytes spill loads/.exec(log);
  if (registers === null || spills === null) return null;
  return { registers: Number(registers[1]), spillBytes: Number(spills[1]) + Number(spills[2]) };
}

async function timeCall(
  device: CudaDevice,
  call: CudaCall,
  node: AttentionNode | AttentionGradientNode,
  sizes: RunSizes,
): Promise<number> {
  // Operands, then results; four bytes an element are enough for any type. Of zeros: times hang little on values.
  const bytes = [
    ...nodeOperands(node).map(({ axes }) => 4 * elementsOf(axes, sizes)),
    ...nodeResults(node).map(({ axes }) => 4 * elementsOf(axes, sizes)),
  ];
  const memories = bytes.map((size) => device.allocate(Math.max(16, size)));
  try {
    const prepared = await device.prepare(call);
    const start = { "query-length": sizes.length, "query-start": 0, step: 0 };
    const bound = prepared.bind(memories, { ...sizes, ...start });
    bound.run();
    const times = Array.from({ length: 5 }, () => device.time(() => bound.run()));
    return times.sort((a, b) => a - b)[2]!;
  } finally {
    for (const memory of memories) memory.free();
  }
}

/** Looks for a GPU and for a compiler; neither is needed. */
export async function openMeasures(): Promise<CudaMeasures> {
  let device: CudaDevice | null = null;
  let compiler: CudaCompiler | null = null;
  const missing: string[] = [];
  try {
    device = await openCuda({ cacheFolder: cacheFolder() });
    compiler = device.compiler;
  } catch (error) {
    if (!(error instanceof LctxError)) throw error;
    missing.push(`Times not measured: ${error.message}.`);
  }
  try {
    compiler ??= await findCudaCompiler();
  } catch (error) {
    if (!(error instanceof LctxError)) throw error;
    missing.push(`Registers and spills not known: ${error.message}.`);
  }
  const hopper = device === null || device.properties.major === 9;
  const found = new Map<string, Promise<Resources | null>>();
  return {
    hopper,
    note: [...(device === null ? [] : [`Measured on ${device.description}.`]), ...missing].join(" "),
    resources: (source) => {
      if (compiler === null) return Promise.resolve(null);
      const own = compiler;
      const target = source.architecture === "sm_90a" ? "sm_90a" : hopper ? "sm_90" : "sm_80";
      const known =
        found.get(source.text) ??
        own
          .compile(source, target, [...compileOptions, "--ptxas-options=-v"])
          .then(({ log }) => resourcesIn(log));
      found.set(source.text, known);
      return known;
    },
    time: (call, node, sizes) =>
      device === null ? Promise.resolve(null) : timeCall(device, call, node, sizes),
    close: () => device?.close(),
  };
}
