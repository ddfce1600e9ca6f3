/** Packs the launches of a call into the bytes that the driver reads, once for the same buffers and sizes. */
import koffi from "koffi";
import { evaluateLaunchSize, type CudaArgument, type CudaLaunch, type LaunchSizes } from "./launch.ts";
import { resolveTensorMap, tensorMapAlignment, tensorMapBytes, type TensorMap } from "./tensor-map.ts";

/** Part of the device's memory. */
export interface DeviceSpan {
  readonly address: bigint;
  readonly byteLength: number;
}

export type EncodeMap = (map: TensorMap, target: Uint8Array) => void;

interface Width {
  readonly bytes: number;
  readonly alignment: number;
}

const word: Width = { bytes: 4, alignment: 4 };
const long: Width = { bytes: 8, alignment: 8 };
const widths: Readonly<Record<CudaArgument["kind"], Width>> = {
  pointer: long,
  i32: word,
  i64: long,
  f32: word,
  "tensor-map": { bytes: tensorMapBytes, alignment: tensorMapAlignment },
};

/** CUlaunchConfig and the CUlaunchAttribute that says the cluster's size. */
const configBytes = 56;
const attributeBytes = 72;
const clusterAttribute = 4;

const aligned = (at: number, alignment: number): number => Math.ceil(at / alignment) * alignment;

/** Offsets of arguments as C lays them, and the bytes of all. */
export function layArguments(kinds: readonly CudaArgument["kind"][]): {
  readonly offsets: readonly number[];
  readonly bytes: number;
} {
  let at = 0;
  const offsets = kinds.map((kind) => {
    const { bytes, alignment } = widths[kind];
    const offset = aligned(at, alignment);
    at = offset + bytes;
    return offset;
  });
  return { offsets, bytes: at };
}

export interface PackedLaunch {
  readonly label: string;
  /** Which of the call's sources. */
  readonly source: number;
  /** Address of the CUlaunchConfig. */
  readonly config: bigint;
  /** Address of the list of pointers to arguments. */
  readonly parameters: bigint;
}

interface ScalarSlot {
  readonly name: string;
  readonly at: number;
}

interface Layout {
  readonly config: number;
  readonly attribute: number;
  readonly pointers: number;
  readonly values: readonly number[];
}

export class PackedLaunches {
  /** Without launches over nothing: a grid with an empty axis is no launch. */
  readonly launches: readonly PackedLaunch[];
  readonly view: DataView;
  /** Address of the first byte of `view`. */
  readonly address: bigint;
  readonly #scalars: readonly ScalarSlot[];

  /** Throws RangeError for a size, offset or tensor map that cannot be. */
  constructor(
    launches: readonly CudaLaunch[],
    buffers: readonly DeviceSpan[],
    sizes: LaunchSizes,
    stream: bigint,
    encodeMap: EncodeMap,
  ) {
    const scalars: ScalarSlot[] = [];
    const packed: PackedLaunch[] = [];
    const layouts: Layout[] = [];
    let bytes = 0;
    for (const launch of launches) {
      const config = aligned(bytes, 64);
      const attribute = config + configBytes;
      const pointers = attribute + attributeBytes;
      const start = aligned(pointers + 8 * launch.arguments.length, 64);
      const { offsets, bytes: used } = layArguments(launch.arguments.map(({ kind }) => kind));
      layouts.push({ config, attribute, pointers, values: offsets.map((offset) => start + offset) });
      bytes = start + used;
    }
    // The driver reads these bytes at their address: a buffer made alone never moves.
    const store = new ArrayBuffer(bytes + 64);
    const base = koffi.address(store);
    const skip = Number(-base & 63n);
    this.address = base + BigInt(skip);
    this.view = new DataView(store, skip);
    launches.forEach((launch, n) => {
      const layout = layouts[n]!;
      try {
        if (!this.#config(launch, layout, sizes, stream)) return;
        launch.arguments.forEach((argument, i) => {
          const at = layout.values[i]!;
          this.view.setBigUint64(layout.pointers + 8 * i, this.address + BigInt(at), true);
          if (argument.kind === "f32" && typeof argument.value === "string")
            scalars.push({ name: argument.value, at });
          else this.#argument(argument, at, buffers, sizes, encodeMap);
        });
      } catch (error) {
        if (error instanceof RangeError)
          throw new RangeError(`kernel ${launch.label}: ${error.message}`, { cause: error });
        throw error;
      }
      packed.push({
        label: launch.label,
        source: launch.source,
        config: this.address + BigInt(layout.config),
        parameters: this.address + BigInt(layout.pointers),
      });
    });
    this.launches = packed;
    this.#scalars = scalars;
  }

  /** Writes the named scalars. Throws when one is missing. */
  fill(values: Readonly<Record<string, number>>): void {
    for (const { name, at } of this.#scalars) {
      const value = values[name];
      if (value === undefined) throw new Error(`no value for the scalar ${name}`);
      this.view.setFloat32(at, value, true);
    }
  }

  /** False when the grid is empty. */
  #config(launch: CudaLaunch, at: Layout, sizes: LaunchSizes, stream: bigint): boolean {
    const grid = launch.grid.map((axis) => evaluateLaunchSize(axis, sizes));
    if (grid.some((blocks) => blocks <= 0)) return false;
    grid.forEach((blocks, axis) => {
      const most = axis === 0 ? 2 ** 31 - 1 : 65_535;
      if (blocks > most) throw new RangeError(`${blocks} blocks along ${"xyz"[axis]}; ${most} are possible`);
      this.view.setUint32(at.config + 4 * axis, blocks, true);
    });
    if (grid[0]! % launch.cluster !== 0)
      throw new RangeError(`${grid[0]} blocks are no multiple of the cluster's ${launch.cluster}`);
    [launch.threads, 1, 1, launch.sharedBytes].forEach((value, n) =>
      this.view.setUint32(at.config + 12 + 4 * n, value, true),
    );
    this.view.setBigUint64(at.config + 32, stream, true);
    this.view.setBigUint64(at.config + 40, this.address + BigInt(at.attribute), true);
    this.view.setUint32(at.config + 48, launch.cluster > 1 ? 1 : 0, true);
    this.view.setUint32(at.attribute, clusterAttribute, true);
    [launch.cluster, 1, 1].forEach((blocks, n) =>
      this.view.setUint32(at.attribute + 8 + 4 * n, blocks, true),
    );
    return true;
  }

  #argument(
    argument: CudaArgument,
    at: number,
    buffers: readonly DeviceSpan[],
    sizes: LaunchSizes,
    encodeMap: EncodeMap,
  ): void {
    switch (argument.kind) {
      case "pointer": {
        const buffer = bufferOf(buffers, argument.buffer);
        const offset = evaluateLaunchSize(argument.offset ?? 0, sizes);
        if (offset < 0 || offset > buffer.byteLength)
          throw new RangeError(
            `offset ${offset} of buffer ${argument.buffer}, which has ${buffer.byteLength} bytes`,
          );
        this.view.setBigUint64(at, buffer.address + BigInt(offset), true);
        return;
      }
      case "i32": {
        const value = evaluateLaunchSize(argument.value, sizes);
        if (value !== (value | 0)) throw new RangeError(`${value} does not fit an argument of 32 bits`);
        this.view.setInt32(at, value, true);
        return;
      }
      case "i64":
        this.view.setBigInt64(at, BigInt(evaluateLaunchSize(argument.value, sizes)), true);
        return;
      case "f32":
        this.view.setFloat32(at, argument.value as number, true);
        return;
      case "tensor-map":
        encodeMap(
          resolveTensorMap(argument, bufferOf(buffers, argument.buffer), sizes),
          new Uint8Array(this.view.buffer, this.view.byteOffset + at, tensorMapBytes),
        );
        return;
      default:
        argument satisfies never;
    }
  }
}

function bufferOf(buffers: readonly DeviceSpan[], index: number): DeviceSpan {
  const buffer = buffers[index];
  if (buffer === undefined) throw new RangeError(`there is no buffer ${index}`);
  return buffer;
}
