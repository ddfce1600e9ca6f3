/** Tensor maps: what a bulk copy of the GPU must know of a tensor, checked before the driver encodes it. */
import type { CudaDriver } from "./driver.ts";
import { evaluateLaunchSize, type CudaArgument, type CudaElement, type LaunchSizes } from "./launch.ts";

export type TensorMapArgument = Extract<CudaArgument, { readonly kind: "tensor-map" }>;

/** A tensor map with its sizes known; extents and box in elements and strides in bytes, innermost axis first. */
export interface TensorMap {
  readonly address: bigint;
  readonly element: CudaElement;
  readonly extents: readonly number[];
  readonly strides: readonly number[];
  readonly box: readonly number[];
  readonly swizzle: 0 | 32 | 64 | 128;
}

/** Bytes of an encoded map, and its alignment. */
export const tensorMapBytes = 128;
export const tensorMapAlignment = 64;

export const elementBytes: Readonly<Record<CudaElement, number>> = { f32: 4, bf16: 2, f16: 2, i32: 4 };

/** Values of CUtensorMapDataType. */
const elementCodes: Readonly<Record<CudaElement, number>> = { i32: 3, f16: 6, f32: 7, bf16: 9 };
const swizzleCodes = { 0: 0, 32: 1, 64: 2, 128: 3 } as const;
/** Fetch whole 256-byte lines into the second-level cache. */
const promotion = 3;

/** Bytes from the first element to behind the last. */
export function spanOf(map: Pick<TensorMap, "element" | "extents" | "strides">): number {
  const [inner = 1, ...outer] = map.extents;
  return outer.reduce(
    (bytes, extent, n) => bytes + (extent - 1) * map.strides[n]!,
    inner * elementBytes[map.element],
  );
}

/** Why the hardware cannot take a map, or null: the driver itself only says "invalid value". */
export function tensorMapProblem(map: TensorMap): string | null {
  const rank = map.extents.length;
  const inner = (map.box[0] ?? 0) * elementBytes[map.element];
  if (rank < 1 || rank > 5) return `it has ${rank} axes; 1 to 5 are possible`;
  if (map.strides.length !== rank - 1)
    return `${rank} axes need ${rank - 1} strides, not ${map.strides.length}`;
  if (map.box.length !== rank) return `${rank} axes need ${rank} box sizes, not ${map.box.length}`;
  if (map.address % 16n !== 0n) return "its address is not a multiple of 16";
  for (const extent of map.extents)
    if (extent < 1 || extent > 2 ** 32) return `extent ${extent} is not from 1 to 2^32`;
  for (const stride of map.strides)
    if (stride % 16 !== 0 || stride <= 0 || stride >= 2 ** 40)
      return `stride ${stride} is not a multiple of 16 bytes below 2^40`;
  for (const size of map.box)
    if (!Number.isInteger(size) || size < 1 || size > 256) return `box size ${size} is not from 1 to 256`;
  if (inner % 16 !== 0) return `the box is ${inner} bytes wide; it must be a multiple of 16`;
  if (map.swizzle !== 0 && inner > map.swizzle)
    return `the box is ${inner} bytes wide; a ${map.swizzle}-byte swizzle allows ${map.swizzle}`;
  return null;
}

/** The map of an argument over a buffer. Throws RangeError when the hardware or the buffer cannot have it. */
export function resolveTensorMap(
  argument: TensorMapArgument,
  buffer: { readonly address: bigint; readonly byteLength: number },
  sizes: LaunchSizes,
): TensorMap {
  const map: TensorMap = {
    address: buffer.address,
    element: argument.element,
    extents: argument.extents.map((extent) => evaluateLaunchSize(extent, sizes)),
    strides: argument.strides.map((stride) => evaluateLaunchSize(stride, sizes)),
    box: argument.box,
    swizzle: argument.swizzle,
  };
  const problem =
    tensorMapProblem(map) ??
    (spanOf(map) > buffer.byteLength
      ? `it spans ${spanOf(map)} bytes of a buffer of ${buffer.byteLength}`
      : null);
  if (problem !== null) throw new RangeError(`tensor map of buffer ${argument.buffer}: ${problem}`);
  return map;
}

/** Writes the driver's 128 bytes of a map to `target`, whose address is a multiple of 64. */
export function encodeTensorMap(driver: CudaDriver, map: TensorMap, target: Uint8Array): void {
  const rank = map.extents.length;
  driver.call(
    "cuTensorMapEncodeTiled",
    target,
    elementCodes[map.element],
    rank,
    map.address,
    BigUint64Array.from(map.extents, BigInt),
    // The driver reads none for one axis, but wants a pointer.
    BigUint64Array.from(rank === 1 ? [0] : map.strides, BigInt),
    Uint32Array.from(map.box),
    new Uint32Array(rank).fill(1),
    0,
    swizzleCodes[map.swizzle],
    promotion,
    0,
  );
}
