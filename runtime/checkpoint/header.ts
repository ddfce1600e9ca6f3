/** The header of safetensors files: strict reading (no duplicates, holes or overlaps) and writing. */
import { LctxError } from "../errors.ts";

/** Bytes of one element, by the dtype names that are read. */
export const elementBytes = { F32: 4, F16: 2, BF16: 2, I32: 4, F64: 8, I64: 8, U8: 1 } as const;
export type FileDtype = keyof typeof elementBytes;

export interface TensorEntry {
  readonly name: string;
  readonly dtype: FileDtype;
  readonly shape: readonly number[];
  /** Bytes `[from, to)` behind the header. */
  readonly from: number;
  readonly to: number;
}

export interface Header {
  /** In order of their bytes. */
  readonly tensors: readonly TensorEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** As the format's reference implementation. */
export const maxHeaderBytes = 100_000_000;
const maxTensors = 200_000;

type Raw = string | number | readonly Raw[] | ReadonlyMap<string, Raw>;

const wrong = (message: string): LctxError => new LctxError("safetensors-header", message);

/** JSON of strings, whole numbers, arrays and objects, at most three levels deep, without duplicate keys. */
class HeaderReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): ReadonlyMap<string, Raw> {
    const value = this.#value(0);
    // Writers pad with spaces so that the data is aligned.
    if (!/^ *$/.test(this.#text.slice(this.#at))) throw wrong("text follows the header's object");
    if (!(value instanceof Map)) throw wrong("the header is not an object");
    return value as ReadonlyMap<string, Raw>;
  }

  #value(depth: number): Raw {
    this.#space();
    const c = this.#text[this.#at];
    if (depth > 3) throw wrong("the header is nested too deeply");
    if (c === "{") return this.#object(depth);
    if (c === "[") return this.#array(depth);
    if (c === '"') return this.#string();
    const number = /^(?:0|[1-9]\d{0,15})(?![\d.eE])/.exec(this.#text.slice(this.#at, this.#at + 20));
    const value = number === null ? NaN : Number(number[0]);
    if (!Number.isSafeInteger(value)) throw wrong(`character ${this.#at} of the header begins no value`);
    this.#at += number![0].length;
    return value;
  }

  #object(depth: number): ReadonlyMap<string, Raw> {
    const map = new Map<string, Raw>();
    this.#at++;
    if (this.#take("}")) return map;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') throw wrong(`character ${this.#at} of the header begins no name`);
      const name = this.#string();
      if (map.has(name)) throw wrong(`"${printable(name)}" is in the header twice`);
      if (!this.#take(":")) throw wrong(`":" is missing at character ${this.#at} of the header`);
      map.set(name, this.#value(depth + 1));
      if (map.size > maxTensors) throw wrong(`the header names more than ${maxTensors} tensors`);
    } while (this.#take(","));
    if (!this.#take("}")) throw wrong(`"}" is missing at character ${this.#at} of the header`);
    return map;
  }

  #array(depth: number): readonly Raw[] {
    const items: Raw[] = [];
    this.#at++;
    if (this.#take("]")) return items;
    do {
      items.push(this.#value(depth + 1));
      if (items.length > 64) throw wrong("a list in the header is too long");
    } while (this.#take(","));
    if (!this.#take("]")) throw wrong(`"]" is missing at character ${this.#at} of the header`);
    return items;
  }

  #string(): string {
    let end = this.#at + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === "\\" ? 2 : 1;
    const quoted = this.#text.slice(this.#at, end + 1);
    this.#at = end + 1;
    try {
      return JSON.parse(quoted) as string;
    } catch (cause) {
      throw new LctxError("safetensors-header", `the header has a broken string at its end or inside`, "", {
        cause,
      });
    }
  }

  #take(c: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== c) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    while (" \n\r\t".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }
}

const hasControl = (name: string): boolean => /\p{Cc}/u.test(name);

/** A name as it may be shown: no control characters, at most 200 characters. */
export function printable(name: string): string {
  return name.replace(/\p{Cc}/gu, "\ufffd").slice(0, 200);
}

const isNumbers = (raw: Raw | undefined): raw is readonly number[] =>
  Array.isArray(raw) && raw.every((item) => typeof item === "number");

function entry(name: string, raw: Raw): TensorEntry {
  const label = `tensor "${printable(name)}"`;
  if (hasControl(name)) throw wrong(`${label} has a control character in its name`);
  if (!(raw instanceof Map)) throw wrong(`${label} is not described by an object`);
  const fields = raw as ReadonlyMap<string, Raw>;
  const dtype = fields.get("dtype");
  const shape = fields.get("shape");
  const offsets = fields.get("data_offsets");
  if (fields.size !== 3 || typeof dtype !== "string" || !isNumbers(shape) || !isNumbers(offsets)) {
    throw wrong(`${label} needs exactly dtype, shape and data_offsets`);
  }
  if (!Object.hasOwn(elementBytes, dtype)) {
    throw new LctxError(
      "safetensors-tensor",
      `${label} has dtype ${printable(dtype)}; read are ${Object.keys(elementBytes).join(", ")}`,
    );
  }
  const [from, to] = offsets;
  if (offsets.length !== 2 || from! > to!) throw wrong(`${label} has wrong data_offsets`);
  let size = elementBytes[dtype as FileDtype] as number;
  for (const extent of shape) size *= extent;
  if (size !== to! - from!) {
    throw wrong(`${label} has ${to! - from!} bytes; its shape [${shape.join(", ")}] and dtype need ${size}`);
  }
  return { name, dtype: dtype as FileDtype, shape, from: from!, to: to! };
}

/** Reads a header; `dataBytes` follow it in the file. Throws LctxError `safetensors-header` or `safetensors-tensor`. */
export function parseHeader(bytes: Uint8Array, dataBytes: number): Header {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new LctxError("safetensors-header", "the header is not UTF-8", "", { cause });
  }
  if (!text.startsWith("{")) throw wrong('the header does not begin with "{"');
  const tensors: TensorEntry[] = [];
  const metadata = new Map<string, string>();
  for (const [name, raw] of new HeaderReader(text).read()) {
    if (name !== "__metadata__") {
      tensors.push(entry(name, raw));
      continue;
    }
    if (!(raw instanceof Map)) throw wrong("the metadata is not an object");
    for (const [key, value] of raw as ReadonlyMap<string, Raw>) {
      if (typeof value !== "string") throw wrong(`metadata "${printable(key)}" is not a string`);
      metadata.set(key, value);
    }
  }
  tensors.sort((a, b) => a.from - b.from || a.to - b.to);
  let at = 0;
  for (const tensor of tensors) {
    if (tensor.from !== at) {
      const what = tensor.from < at ? "overlaps another tensor" : "leaves a hole before it";
      throw wrong(`tensor "${printable(tensor.name)}" ${what}`);
    }
    at = tensor.to;
  }
  if (at !== dataBytes) throw wrong(`the tensors have ${at} bytes, the file ${dataBytes}`);
  return { tensors, metadata };
}

/** The first bytes of a file: the header's length and the header, padded so that the data begins at a multiple of 8. */
export function printHeader(header: Header): Buffer {
  const quote = JSON.stringify;
  const parts: string[] = [];
  if (header.metadata.size > 0) {
    const pairs = [...header.metadata].map(([key, value]) => `${quote(key)}:${quote(value)}`);
    parts.push(`"__metadata__":{${pairs.join(",")}}`);
  }
  for (const { name, dtype, shape, from, to } of header.tensors) {
    const fields = `"dtype":"${dtype}","shape":${quote(shape)},"data_offsets":[${from},${to}]`;
    parts.push(`${quote(name)}:{${fields}}`);
  }
  const text = Buffer.from(`{${parts.join(",")}}`, "utf8");
  const padded = Math.ceil(text.length / 8) * 8;
  const out = Buffer.alloc(8 + padded, 0x20);
  out.writeBigUInt64LE(BigInt(padded), 0);
  text.copy(out, 8);
  return out;
}
