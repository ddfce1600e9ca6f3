/** Generation: choices follow their probabilities, rows follow their layout, text is repeatable and whole. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generate, rowFor } from "../../runtime/generate/generate.ts";
import type { GenerateOptions } from "../../runtime/generate/generate.ts";
import { recompute, runLength } from "../../runtime/generate/next-token.ts";
import type { NextToken } from "../../runtime/generate/next-token.ts";
import { candidates, sample } from "../../runtime/generate/sample.ts";
import { keyOf, RandomStream } from "../../runtime/random/stream.ts";
import { byteTokenizer } from "../../runtime/tokens/bytes.ts";
import { bigramModel } from "../training/bigram-model.ts";

const every = (): boolean => true;
const plain = { temperature: 1, topK: null, topP: null } as const;
const options: GenerateOptions = { ...plain, prompt: "a", tokens: 8, seed: 1, layout: { insert: null } };

async function text(model: NextToken, changes: Partial<GenerateOptions> = {}): Promise<string> {
  let out = "";
  for await (const piece of generate(model, byteTokenizer, { ...options, ...changes })) out += piece;
  return out;
}

/** A model that wants the bytes of `script` one after another, and records the rows it was given. */
function scripted(script: string, maxLength: number | null = null): NextToken & { rows: number[][] } {
  const bytes = Buffer.from(script);
  const rows: number[][] = [];
  return {
    maxLength: () => Promise.resolve(maxLength),
    rows,
    logits: (row) => {
      const logits = new Float32Array(260);
      logits[bytes[rows.length]!] = 50;
      rows.push([...row]);
      return Promise.resolve(logits);
    },
    close: () => undefined,
  };
}

describe("sampling", () => {
  const logits = Float32Array.of(1, 3, 2, -1);

  it("keeps the likeliest", () => {
    const ids = (topK: number | null, topP: number | null) =>
      candidates(logits, every, { temperature: 1, topK, topP }).ids;
    expect(ids(null, null)).toEqual([1, 2, 0, 3]);
    expect(ids(2, null)).toEqual([1, 2]);
    expect(ids(0, null)).toEqual([1]);
    // Probabilities are 0.657, 0.242, 0.089, 0.012.
    expect(ids(null, 0.6)).toEqual([1]);
    expect(ids(null, 0.7)).toEqual([1, 2]);
    expect(ids(null, 0.95)).toEqual([1, 2, 0]);
    expect(ids(null, 1)).toEqual([1, 2, 0, 3]);
    expect(candidates(logits, (id) => id !== 1, plain).ids).toEqual([2, 0, 3]);
    expect(() => candidates(logits, () => false, plain)).toThrow(RangeError);
  });

  it("has probabilities that sum to 1, whatever the logits", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -90, max: 90, noNaN: true }), { minLength: 1, maxLength: 30 }),
        fc.double({ min: 0.01, max: 5, noNaN: true }),
        fc.option(fc.integer({ min: 1, max: 40 })),
        fc.option(fc.double({ min: 0.01, max: 1, noNaN: true })),
        (values, temperature, topK, topP) => {
          const { ids, probabilities } = candidates(Float32Array.from(values), every, {
            temperature,
            topK,
            topP,
          });
          expect(ids.length).toBeGreaterThan(0);
          expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
        },
      ),
    );
  });

  it("draws as often as the softmax says", () => {
    const random = new RandomStream(keyOf(1, "draws"));
    const counts = [0, 0, 0, 0];
    const n = 20_000;
    for (let i = 0; i < n; i++) counts[sample(logits, every, { ...plain, temperature: 2 }, random)]!++;
    const weights = [...logits].map((logit) => Math.exp(logit / 2));
    const total = weights.reduce((a, b) => a + b, 0);
    counts.forEach((count, id) => {
      const p = weights[id]! / total;
      expect(Math.abs(count / n - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / n));
    });
  });

  it("at temperature 0 takes the likeliest, the first of equals", () => {
    const random = new RandomStream(keyOf(1, "draws"));
    expect(sample(Float32Array.of(2, 5, 5), every, { ...plain, temperature: 0 }, random)).toBe(1);
    expect(random.position).toBe(0);
  });
});

describe("generation", () => {
  it("streams whole characters", async () => {
    const pieces: string[] = [];
    const script = "é€😀!";
    const model = scripted(script);
    for await (const piece of generate(model, byteTokenizer, { ...options, tokens: 10 })) pieces.push(piece);
    expect(pieces).toEqual(["é", "€", "😀", "!"]);
    expect(model.rows[0]).toEqual([97]);
    expect(model.rows[2]).toEqual([97, 0xc3, 0xa9]);
  });

  it("puts inserted tokens where training had them", async () => {
    const layout = { insert: { id: 256, every: 2 } };
    expect(rowFor(layout, [1, 2])).toEqual([1, 2, 256]);
    expect(rowFor(layout, [1, 2, 3])).toEqual([1, 2, 256, 3]);
    const model = scripted("bcdef");
    expect(await text(model, { layout, tokens: 5 })).toBe("bcdef");
    const [a, b, c, d, e] = [...Buffer.from("abcde")];
    expect(model.rows).toEqual([
      [a],
      [a, b, 256],
      [a, b, 256, c],
      [a, b, 256, c, d, 256],
      [a, b, 256, c, d, 256, e],
    ]);
  });

  it("never writes inserted tokens or ids without text", async () => {
    const logits = Float32Array.from({ length: 300 }, (_, id) => (id >= 256 ? 99 : id === 98 ? 1 : 0));
    const model: NextToken = {
      maxLength: () => Promise.resolve(null),
      logits: () => Promise.resolve(logits),
      close: () => undefined,
    };
    expect(await text(model, { temperature: 0, tokens: 3, layout: { insert: { id: 256, every: 9 } } })).toBe(
      "bbb",
    );
  });

  it("keeps the end of the text when the model takes no more, aligned to inserted tokens", async () => {
    const model = scripted("bcdefgh", 4);
    expect(await text(model, { tokens: 7 })).toBe("bcdefgh");
    expect(model.rows.at(-1)).toEqual([...Buffer.from("defg")]);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 6, max: 12 }),
        async (step, maxLength) => {
          const layout = { insert: { id: 256, every: step } };
          const long = scripted("x".repeat(30), maxLength);
          await text(long, { layout, tokens: 30 });
          for (const row of long.rows) {
            expect(row.length).toBeLessThanOrEqual(maxLength);
            row.forEach((id, p) => expect(id === 256).toBe(p % (step + 1) === step));
          }
        },
      ),
    );
  });

  it("is the same for the same seed, from a trained table run whole each time", async () => {
    const lengths: number[] = [];
    const make = () => {
      const model = bigramModel({ batch: 1, length: 1 });
      const resize = model.resize.bind(model);
      model.resize = (sizes) => {
        lengths.push(sizes.length);
        resize(sizes);
      };
      const table = model.tensor("table") as Float32Array;
      // After each letter the next one, or the one after it.
      for (let i = 0; i < 256; i++) {
        table[i * 256 + ((i + 1) % 128)] = 9;
        table[i * 256 + ((i + 2) % 128)] = 9;
      }
      return model;
    };
    const model = (): NextToken => recompute(() => Promise.resolve(make()));
    const first = await text(model(), { tokens: 40, seed: 5 });
    expect(await text(model(), { tokens: 40, seed: 5 })).toBe(first);
    expect(await text(model(), { tokens: 40, seed: 6 })).not.toBe(first);
    expect(await text(model(), { tokens: 5, temperature: 0 })).toBe("bcdef");
    // Rows of 1 to 32 tokens, then rows of up to 64.
    lengths.length = 0;
    await text(model(), { tokens: 40 });
    expect(lengths).toEqual([32, 64]);
    expect([1, 32, 33, 500].map((tokens) => runLength(tokens, 256, false))).toEqual([32, 32, 64, 256]);
    expect([1, 33, 256].map((tokens) => runLength(tokens, 256, true))).toEqual([1, 33, 256]);
  });

  it("refuses what cannot be", async () => {
    const model = scripted("b");
    await expect(text(model, { prompt: "" })).rejects.toMatchObject({ code: "settings-invalid" });
    await expect(text(model, { topP: 0 })).rejects.toMatchObject({ code: "settings-invalid" });
    await expect(text(model, { temperature: -1 })).rejects.toMatchObject({ code: "settings-invalid" });
  });
});
