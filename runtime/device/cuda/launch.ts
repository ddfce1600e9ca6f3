/** What a CUDA program is and how it is launched, as plain data: the compiler writes it, the device runs it. */

/** A whole number known when a kernel is launched: a literal, a named size, or arithmetic of them. */
export type LaunchSize =
  | number
  | string
  | readonly ["*" | "+" | "-" | "min" | "max", ...LaunchSize[]]
  /** ⌈a / b⌉ and ⌊a / b⌋. */
  | readonly ["ceil-div" | "floor-div", LaunchSize, LaunchSize];

/** Values of the names that sizes use; the device adds `multiprocessors`. */
export type LaunchSizes = Readonly<Record<string, number>>;

/** The value of a size; exact up to 2^53. Throws a RangeError for an unknown name or a larger value. */
export function evaluateLaunchSize(size: LaunchSize, sizes: LaunchSizes): number {
  if (typeof size === "number") return size;
  if (typeof size === "string") {
    const value = sizes[size];
    if (value === undefined) throw new RangeError(`no size is called ${size}`);
    return value;
  }
  const [op, ...parts] = size;
  const values = parts.map((part) => evaluateLaunchSize(part, sizes));
  const value = arithmetic[op](values);
  if (!Number.isSafeInteger(value)) throw new RangeError(`size ${JSON.stringify(size)} is too large`);
  return value;
}

const arithmetic: Readonly<
  Record<"*" | "+" | "-" | "min" | "max" | "ceil-div" | "floor-div", (values: readonly number[]) => number>
> = {
  "*": (values) => values.reduce((product, value) => product * value, 1),
  "+": (values) => values.reduce((sum, value) => sum + value, 0),
  "-": ([first = 0, ...rest]) => rest.reduce((left, value) => left - value, first),
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
  "ceil-div": ([a, b]) => Math.ceil(a! / b!),
  "floor-div": ([a, b]) => Math.floor(a! / b!),
};

/** Instruction set a program is compiled for. */
export type CudaArchitecture = "sm_80" | "sm_90a";

/** One NVRTC program with one kernel; no headers are included. */
export interface CudaSource {
  /** Name of the `extern "C" __global__` function. */
  readonly entry: string;
  readonly text: string;
  readonly architecture: CudaArchitecture;
}

export type CudaElement = "f32" | "bf16" | "f16" | "i32";

/** One kernel argument, by position. */
export type CudaArgument =
  /** Device pointer: buffer `buffer` of the call, `offset` bytes in. */
  | { readonly kind: "pointer"; readonly buffer: number; readonly offset?: LaunchSize }
  | { readonly kind: "i32" | "i64"; readonly value: LaunchSize }
  /** A number, or the name of a scalar given at each call. */
  | { readonly kind: "f32"; readonly value: number | string }
  /**
   * A CUtensorMap by value, `const __grid_constant__ CUtensorMap`. `extents`, `box`: elements, innermost axis first;
   * `strides`: bytes, of the axes after the innermost. `swizzle`: bytes of the pattern, 0 for none. Elements outside
   * the extents read as zero.
   */
  | {
      readonly kind: "tensor-map";
      readonly buffer: number;
      readonly element: CudaElement;
      readonly extents: readonly LaunchSize[];
      readonly strides: readonly LaunchSize[];
      readonly box: readonly number[];
      readonly swizzle: 0 | 32 | 64 | 128;
    };

export interface CudaLaunch {
  /** Which of the call's sources. */
  readonly source: number;
  /** Operation, for people. */
  readonly label: string;
  /** Queries × keys of a block's tile, for people; absent where there is no such tile. */
  readonly tile?: string;
  readonly grid: readonly [LaunchSize, LaunchSize, LaunchSize];
  readonly threads: number;
  /** Blocks of a cluster along x. */
  readonly cluster: number;
  /** Bytes of dynamic shared memory. */
  readonly sharedBytes: number;
  readonly arguments: readonly CudaArgument[];
}

/** Bytes of a buffer that lives only during the call; they follow the caller's buffers in numbering. */
export interface CudaScratch {
  readonly bytes: LaunchSize;
  /** True when the launches need it zeroed first. */
  readonly zero: boolean;
}

/** Launches in order over the caller's buffers 0 … and scratch buffers after them. */
export interface CudaCall {
  readonly sources: readonly CudaSource[];
  /** Buffers that the caller gives. */
  readonly buffers: number;
  readonly scratch: readonly CudaScratch[];
  readonly launches: readonly CudaLaunch[];
}
