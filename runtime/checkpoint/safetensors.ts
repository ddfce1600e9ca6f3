/** safetensors files: named tensors as one file; float16 and bfloat16 become float32 when read. */
import { LctxError } from "../errors.ts";
import { elementBytes, maxHeaderBytes, parseHeader, printable, printHeader } from "./header.ts";
import type { FileDtype, Header, TensorEntry } from "./header.ts";

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The parts of a file with these tensors, in order; the tensors' own memory is used, not copied. */
export function encodeSafetensors(
  tensors: readonly NamedTensor[],
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array[] {
  if (!littleEndian) throw new Error("only little-endian machines are supported");
  let at = 0;
  const entries: TensorEntry[] = [];
  for (const { name, shape, values } of tensors) {
    const count = shape.reduce((product, extent) => product * extent, 1);
    if (count !== values.length) {
      throw new RangeError(`tensor "${name}" of shape [${shape.join(", ")}] has ${values.length} elements`);
    }
    const dtype: FileDtype = values instanceof Float32Array ? "F32" : "I32";
    entries.push({ name, dtype, shape, from: at, to: at + values.byteLength });
    at += values.byteLength;
  }
  return [
    printHeader({ tensors: entries, metadata }),
    ...tensors.map(({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  ];
}

/** The value of a half-precision number given as its 16 bits. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

type Convert = (bytes: DataView, count: number) => Float32Array | Int32Array;

const toFloats =
  (read: (bytes: DataView, i: number) => number): Convert =>
  (bytes, count) => {
    const out = new Float32Array(count);
    for (let i = 0; i < count; i++) out[i] = read(bytes, i);
    return out;
  };

const bits = new DataView(new ArrayBuffer(4));
const convert: { readonly [D in FileDtype]: Convert | null } = {
  F32: (bytes, count) => {
    const out = new Float32Array(count);
    new Uint8Array(out.buffer).set(new Uint8Array(bytes.buffer, bytes.byteOffset, count * 4));
    return out;
  },
  F16: toFloats((bytes, i) => halfToFloat(bytes.getUint16(i * 2, true))),
  BF16: toFloats((bytes, i) => {
    bits.setUint32(0, bytes.getUint16(i * 2, true) << 16);
    return bits.getFloat32(0);
  }),
  I32: (bytes, count) => {
    const out = new Int32Array(count);
    for (let i = 0; i < count; i++) out[i] = bytes.getInt32(i * 4, true);
    return out;
  },
  // Conversions that could lose digits are not made in silence.
  F64: null,
  I64: null,
  U8: null,
};

export class SafetensorsFile {
  readonly header: Header;
  readonly #bytes: Uint8Array;
  readonly #dataStart: number;
  readonly #entries: ReadonlyMap<string, TensorEntry>;

  /** Reads the header of a whole file. Throws LctxError `safetensors-header` or `safetensors-tensor`. */
  constructor(bytes: Uint8Array) {
    if (bytes.byteLength < 8) {
      throw new LctxError("safetensors-header", `a file of ${bytes.byteLength} bytes has no header`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = view.getBigUint64(0, true);
    if (length < 2n || length > BigInt(Math.min(maxHeaderBytes, bytes.byteLength - 8))) {
      throw new LctxError(
        "safetensors-header",
        `the header claims ${length} bytes; the file has ${bytes.byteLength}`,
        "files of other formats (.pt, .bin, .h5) are not read",
      );
    }
    this.#bytes = bytes;
    this.#dataStart = 8 + Number(length);
    this.header = parseHeader(bytes.subarray(8, this.#dataStart), bytes.byteLength - this.#dataStart);
    this.#entries = new Map(this.header.tensors.map((tensor) => [tensor.name, tensor]));
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  entry(name: string): TensorEntry | null {
    return this.#entries.get(name) ?? null;
  }

  /** A copy of a tensor's values. Throws LctxError `safetensors-tensor` when it is missing or of a dtype that is not converted. */
  read(name: string): NamedTensor {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      throw new LctxError("safetensors-tensor", `there is no tensor "${printable(name)}"`);
    }
    const make = convert[entry.dtype];
    if (make === null) {
      throw new LctxError(
        "safetensors-tensor",
        `tensor "${printable(name)}" has dtype ${entry.dtype}, which is not converted to float32`,
      );
    }
    const view = new DataView(
      this.#bytes.buffer,
      this.#bytes.byteOffset + this.#dataStart + entry.from,
      entry.to - entry.from,
    );
    const values = make(view, (entry.to - entry.from) / elementBytes[entry.dtype]);
    return { name, shape: entry.shape, values };
  }
}

/** What a file must hold. */
export interface WantedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/**
 * Copies a file's tensors into `wanted`. Nothing is copied unless the file has exactly these tensors with these shapes;
 * otherwise throws LctxError `safetensors-mismatch` that lists the differences.
 */
export function readInto(file: SafetensorsFile, wanted: readonly WantedTensor[], what: string): void {
  const differences: string[] = [];
  const names = new Set(wanted.map((tensor) => tensor.name));
  for (const { name, shape } of wanted) {
    const entry = file.entry(name);
    if (entry === null) differences.push(`"${name}" is missing`);
    else if (entry.shape.join() !== shape.join()) {
      differences.push(`"${name}" has shape [${entry.shape.join(", ")}], not [${shape.join(", ")}]`);
    }
  }
  for (const name of file.names) if (!names.has(name)) differences.push(`"${printable(name)}" is not wanted`);
  const read = differences.length > 0 ? [] : wanted.map(({ name }) => file.read(name));
  read.forEach(({ name, values }, i) => {
    if (values.constructor !== wanted[i]!.values.constructor) differences.push(`"${name}" has another dtype`);
  });
  if (differences.length > 0) {
    const shown = differences.slice(0, 8).join("; ");
    const more = differences.length > 8 ? `; and ${differences.length - 8} more` : "";
    throw new LctxError("safetensors-mismatch", `${what} does not fit the model: ${shown}${more}`);
  }
  read.forEach(({ values }, i) => wanted[i]!.values.set(values));
}
