/** safetensors: round trips, conversions, and refusal of every malformed file. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeSafetensors,
  halfToFloat,
  readInto,
  SafetensorsFile,
} from "../../runtime/checkpoint/safetensors.ts";
import type { NamedTensor } from "../../runtime/checkpoint/safetensors.ts";
import { LctxError } from "../../runtime/errors.ts";

const join_ = (parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts);

function fileOf(header: string, data = 0): Buffer {
  const text = Buffer.from(header, "utf8");
  const out = Buffer.alloc(8 + text.length + data);
  out.writeBigUInt64LE(BigInt(text.length), 0);
  text.copy(out, 8);
  return out;
}

const codeOf = (bytes: Uint8Array): string => {
  try {
    new SafetensorsFile(bytes);
    return "fine";
  } catch (error) {
    if (error instanceof LctxError) return error.code;
    throw error;
  }
};

const tensors = fc.uniqueArray(
  fc.record({
    name: fc
      .string({ minLength: 1, maxLength: 12 })
      .filter((name) => !/\p{Cc}/u.test(name) && name !== "__metadata__"),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
    whole: fc.boolean(),
  }),
  { selector: (tensor) => tensor.name, maxLength: 5 },
);

function make(described: readonly { name: string; shape: number[]; whole: boolean }[]): NamedTensor[] {
  return described.map(({ name, shape, whole }, t) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const numbers = Array.from({ length: count }, (_, i) => (t + 1) * 1000 + i - (whole ? 0 : 0.3));
    return { name, shape, values: whole ? Int32Array.from(numbers) : Float32Array.from(numbers) };
  });
}

describe("safetensors", () => {
  it("gives back what was written, whatever the names", () => {
    fc.assert(
      fc.property(tensors, fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }), (described, notes) => {
        const written = make(described);
        const metadata = new Map(Object.entries(notes));
        const bytes = join_(encodeSafetensors(written, metadata));
        const file = new SafetensorsFile(bytes);
        expect(file.header.metadata).toEqual(metadata);
        expect(new Set(file.names)).toEqual(new Set(written.map((tensor) => tensor.name)));
        for (const tensor of written) expect(file.read(tensor.name)).toEqual(tensor);
        const length = Number(bytes.readBigUInt64LE(0));
        expect(length % 8).toBe(0);
      }),
    );
  });

  it("treats names of object properties as names", () => {
    const written = make([
      { name: "__proto__", shape: [2], whole: false },
      { name: "constructor", shape: [1], whole: false },
    ]);
    const file = new SafetensorsFile(join_(encodeSafetensors(written)));
    expect(file.read("__proto__")).toEqual(written[0]);
    expect(file.entry("toString")).toBe(null);
  });

  it("reads half precision exactly", () => {
    const cases = [
      [0x0000, 0],
      [0x8000, -0],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3c00, 1],
      [0xc000, -2],
      [0x7bff, 65_504],
      [0x7c00, Infinity],
      [0xfc00, -Infinity],
      [0x7e00, NaN],
      [0x3555, 0.333251953125],
    ] as const;
    for (const [bits, value] of cases) expect(halfToFloat(bits)).toBe(value);
    const file = fileOf(
      '{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]}}',
      8,
    );
    file.writeUInt16LE(0x3c00, file.length - 8);
    file.writeUInt16LE(0x0001, file.length - 6);
    file.writeUInt16LE(0x3f80, file.length - 4);
    file.writeUInt16LE(0xc049, file.length - 2);
    const read = new SafetensorsFile(file);
    expect([...read.read("h").values]).toEqual([1, Math.fround(2 ** -24)]);
    expect([...read.read("b").values]).toEqual([1, -3.140625]);
  });

  const one = (changes: string): string => `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]${changes}`;
  it.each([
    ["no bytes", Buffer.alloc(0)],
    ["seven bytes", Buffer.alloc(7)],
    ["an empty header", Buffer.alloc(8)],
    ["a length beyond the file", Buffer.concat([Buffer.from("ffffffffffffffff", "hex"), Buffer.from("{}")])],
    [
      "text that is not UTF-8",
      Buffer.concat([Buffer.from("0200000000000000", "hex"), Buffer.from([0x7b, 0xff])]),
    ],
    ["no object", fileOf("[]")],
    ["a space first", fileOf(" {}")],
    ["a byte order mark", fileOf("\ufeff{}")],
    ["something after the object", fileOf("{}x")],
    ["a comment", fileOf("{/**/}")],
    ["a trailing comma", fileOf(`${one("}")},}`, 8)],
    ["a name twice", fileOf(`${one("}")},"a":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}`, 12)],
    ["a field twice", fileOf(`${one(',"shape":[2]}}')}`, 8)],
    ["a further field", fileOf(`${one(',"x":"y"}}')}`, 8)],
    ["metadata that is no text", fileOf('{"__metadata__":{"a":1}}')],
    ["deep nesting", fileOf(`{"__metadata__":${'{"a":'.repeat(100_000)}`)],
    ["a fraction", fileOf('{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', 4)],
    ["a power", fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4e0]}}', 4)],
    ["a negative number", fileOf('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', 4)],
    ["a huge number", fileOf('{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}', 4)],
    ["reversed offsets", fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', 4)],
    ["a shape of another size", fileOf('{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}}', 4)],
    ["data missing", fileOf(`${one("}}")}`, 7)],
    ["data left over", fileOf(`${one("}}")}`, 9)],
    ["overlap", fileOf(`${one("}")},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8)],
    ["a hole", fileOf(`${one("}")},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}`, 16)],
    [
      "a control character in a name",
      fileOf('{"a\\u0000":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
    ],
    ["a pickle", Buffer.concat([Buffer.from("80027d7100286e", "hex"), Buffer.alloc(64, 0x71)])],
    ["a zip", Buffer.concat([Buffer.from("504b0304140000000800", "hex"), Buffer.alloc(64, 1)])],
  ])("refuses %s", (_, bytes) => {
    expect(codeOf(bytes)).toBe("safetensors-header");
  });

  it("refuses unknown and lossy dtypes", () => {
    expect(codeOf(fileOf('{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}', 1))).toBe(
      "safetensors-tensor",
    );
    const wide = new SafetensorsFile(fileOf('{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}', 8));
    expect(() => wide.read("a")).toThrow(/not converted/);
  });

  it("never throws anything but its own errors, whatever bits flip or bytes are missing", () => {
    const good = join_(
      encodeSafetensors(
        make([
          { name: "a.b", shape: [2, 2], whole: false },
          { name: "c", shape: [3], whole: true },
        ]),
      ),
    );
    for (let bit = 0; bit < good.length * 8; bit++) {
      const flipped = Buffer.from(good);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(["fine", "safetensors-header", "safetensors-tensor"]).toContain(codeOf(flipped));
    }
    for (let length = 0; length < good.length; length++) {
      expect(["safetensors-header", "safetensors-tensor"]).toContain(codeOf(good.subarray(0, length)));
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(["fine", "safetensors-header", "safetensors-tensor"]).toContain(
          codeOf(fileOf(Buffer.from(bytes).toString("latin1"))),
        );
      }),
    );
  });

  it("fills tensors all or none, and names every difference", () => {
    const file = new SafetensorsFile(
      join_(
        encodeSafetensors(
          make([
            { name: "a", shape: [2], whole: false },
            { name: "b", shape: [2, 1], whole: false },
            { name: "x", shape: [1], whole: false },
          ]),
        ),
      ),
    );
    const want = (name: string, ...shape: number[]): NamedTensor => ({
      name,
      shape,
      values: new Float32Array(shape.reduce((p, n) => p * n, 1)),
    });
    const wanted = [want("a", 2), want("b", 1, 2), want("c", 1)];
    expect(() => readInto(file, wanted, "the file")).toThrow(
      'the file does not fit the model: "b" has shape [2, 1], not [1, 2]; "c" is missing; "x" is not wanted',
    );
    expect([...wanted[0]!.values]).toEqual([0, 0]);
    const fits = [want("a", 2), want("b", 2, 1), want("x", 1)];
    readInto(file, fits, "the file");
    expect([...fits[0]!.values]).toEqual([...file.read("a").values]);
  });

  it("reads a file that transformers wrote", () => {
    const file = new SafetensorsFile(
      readFileSync(join(import.meta.dirname, "fixtures/expected.safetensors")),
    );
    const shapes = Object.fromEntries(file.header.tensors.map((tensor) => [tensor.name, tensor.shape]));
    expect(shapes).toEqual({ input_ids: [2, 24], logits: [2, 24, 128], loss: [1] });
    // The loss must follow from the logits and the ids beside it, or values were read wrongly.
    const { values: ids } = file.read("input_ids");
    const logits = Float32Array.from(file.read("logits").values);
    let sum = 0;
    for (let row = 0; row < 2; row++) {
      for (let t = 0; t < 23; t++) {
        const at = (row * 24 + t) * 128;
        const line = logits.subarray(at, at + 128);
        const total = line.reduce((part, logit) => part + Math.exp(logit), 0);
        sum += Math.log(total) - line[ids[row * 24 + t + 1]!]!;
      }
    }
    expect(sum / 46).toBeCloseTo(file.read("loss").values[0]!, 5);
  });
});
