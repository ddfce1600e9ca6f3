/** bf16 and f16 numbers in typed arrays. */
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";

export type Packed = Float32Array | Int32Array | Uint16Array;

const bits = new DataView(new ArrayBuffer(4));

function toBf16(x: number): number {
  if (Number.isNaN(x)) return 0x7fc0;
  bits.setFloat32(0, x);
  const whole = bits.getUint32(0);
  return ((whole + 0x7fff + ((whole >>> 16) & 1)) >>> 16) & 0xffff;
}

function fromBf16(x: number): number {
  bits.setUint32(0, (x << 16) >>> 0);
  return bits.getFloat32(0);
}

/** Rounds to nearest even, with subnormals and infinities. */
function toF16(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  const power = size === 0 ? -14 : Math.max(-14, Math.floor(Math.log2(size)));
  const scaled = size / 2 ** (power - 10);
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  let whole = floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0);
  let exponent = power;
  if (whole >= 2048) [whole, exponent] = [whole / 2, power + 1];
  if (exponent > 15) return sign | 0x7c00;
  return whole < 1024 ? sign | whole : sign | ((exponent + 15) << 10) | (whole - 1024);
}

function fromF16(x: number): number {
  const sign = x & 0x8000 ? -1 : 1;
  const exponent = (x >> 10) & 31;
  const low = x & 1023;
  if (exponent === 31) return low === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? low * 2 ** -24 : (1024 + low) * 2 ** (exponent - 25));
}

/** The nearest number of the element type. */
export const round = (element: AttentionElement, x: number): number =>
  element === "f32" ? Math.fround(x) : element === "bf16" ? fromBf16(toBf16(x)) : fromF16(toF16(x));

export function pack(element: AttentionElement, data: Float64Array): Packed {
  if (element === "f32") return Float32Array.from(data);
  return Uint16Array.from(data, element === "bf16" ? toBf16 : toF16);
}

/** Numbers of packed elements; f32 arrays are themselves. */
export function unpack(element: AttentionElement, data: Packed): Float32Array {
  if (data instanceof Float32Array) return data;
  return Float32Array.from(data, element === "bf16" ? fromBf16 : fromF16);
}
