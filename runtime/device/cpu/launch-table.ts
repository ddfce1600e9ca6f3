/** Lays a phase's launches out as one block of memory: a table of four words each, then pointers, sizes and scalars. */
import { freemem } from "node:os";
import { evaluateSize, noTensor, type Launch, type Sizes } from "../../program.ts";

export interface LaidLaunch {
  readonly kernel: string;
  /** Tensor ids; null where the kernel gets a null pointer. */
  readonly buffers: readonly (number | null)[];
  readonly sizes: readonly number[];
  readonly scalars: readonly (number | string)[];
  /** Byte offsets in the block. */
  readonly buffersAt: number;
  readonly sizesAt: number;
  readonly scalarsAt: number;
}

export interface LaunchLayout {
  readonly launches: readonly LaidLaunch[];
  /** Bytes of the block; a multiple of 8. */
  readonly bytes: number;
  /** Writes the named scalars. Throws a RangeError when one is missing. */
  fill(floats: Float32Array, scalars: Readonly<Record<string, number>>): void;
}

/** `word` is the size of a pointer in bytes. */
export function layLaunches(launches: readonly Launch[], sizes: Sizes, word: 4 | 8 = 8): LaunchLayout {
  let at = launches.length * 4 * word;
  const take = (bytes: number): number => {
    const start = Math.ceil(at / 8) * 8;
    at = start + bytes;
    return start;
  };
  const named: { readonly name: string; readonly index: number }[] = [];
  const laid = launches.map((launch): LaidLaunch => {
    const buffersAt = take(launch.buffers.length * word);
    const sizesAt = take(launch.sizes.length * 8);
    const scalarsAt = take(launch.scalars.length * 4);
    launch.scalars.forEach((scalar, i) => {
      if (typeof scalar === "string") named.push({ name: scalar, index: scalarsAt / 4 + i });
    });
    return {
      kernel: launch.kernel,
      buffers: launch.buffers.map((id) => (id === noTensor ? null : id)),
      sizes: launch.sizes.map((size) => evaluateSize(size, sizes)),
      scalars: launch.scalars,
      buffersAt,
      sizesAt,
      scalarsAt,
    };
  });
  return {
    launches: laid,
    bytes: Math.max(8, Math.ceil(at / 8) * 8),
    fill(floats, scalars) {
      for (const { name, index } of named) {
        const value = scalars[name];
        if (value === undefined) throw new RangeError(`the phase needs a value for scalar "${name}"`);
        floats[index] = value;
      }
    },
  };
}

const mebi = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Words for a refused allocation. */
export const describeMemory = (bytes: number): string =>
  `${mebi(bytes)} of memory were asked for and are not there; ${mebi(freemem())} are free`;
