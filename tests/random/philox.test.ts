/** Philox against the published vectors, and what is built on it against its laws. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { initialise } from "../../runtime/random/init.ts";
import { philoxBlocks } from "../../runtime/random/philox-blocks.ts";
import { philox } from "../../runtime/random/philox.ts";
import { permutation } from "../../runtime/random/shuffle.ts";
import { keyOf, RandomStream } from "../../runtime/random/stream.ts";

/** The known-answer vectors of the Random123 distribution (kat_vectors, philox4x32 with 10 rounds). */
const vectors = [
  { counter: [0, 0, 0, 0], key: [0, 0], words: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    words: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    words: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
] as const;

/** The same function with exact integers of any size. */
function philoxExact(key: readonly number[], counter: readonly number[]): number[] {
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  const mask = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3].map(Number);
}

const word = fc.integer({ min: 0, max: 0xffffffff });

describe("philox", () => {
  it("gives the published words", () => {
    for (const { counter, key, words } of vectors) expect(philox(key, counter)).toEqual(words);
  });

  it("equals exact integer arithmetic", () => {
    fc.assert(
      fc.property(fc.tuple(word, word), fc.tuple(word, word, word, word), (key, counter) => {
        expect([...philox(key, counter)]).toEqual(philoxExact(key, counter));
      }),
    );
  });
});

describe("philox in blocks", () => {
  it("equals philox at one counter after another", () => {
    const block = fc.oneof(fc.nat(1000), fc.integer({ min: 2 ** 32, max: 2 ** 32 + 1000 }));
    fc.assert(
      fc.property(fc.tuple(word, word), block, fc.integer({ min: 1, max: 9 }), (key, from, count) => {
        const words = philoxBlocks(key, from, count);
        for (let n = 0; n < count; n++) {
          const counter = [(from + n) % 2 ** 32, Math.floor((from + n) / 2 ** 32), 0, 0] as const;
          expect([...words.subarray(n * 4, n * 4 + 4)]).toEqual(philox(key, counter));
        }
      }),
    );
  });

  it("makes the normal numbers that a stream gives one after another, whatever their count", () => {
    for (const count of [1, 2, 8191, 8192, 8193, 20_001]) {
      const key = keyOf(5, "normals");
      const values = new Float32Array(count);
      new RandomStream(key).fillNormals(values, 0.3);
      const stream = new RandomStream(key);
      const pairs = Array.from({ length: Math.ceil(count / 2) }, () => stream.normals());
      expect(values).toEqual(Float32Array.from(pairs.flat().slice(0, count), (value) => value * 0.3));
    }
  });
});

describe("random stream", () => {
  it("goes on from any position as if it had never stopped", () => {
    const key = keyOf(7, "test");
    const whole = new RandomStream(key);
    const words = Array.from({ length: 40 }, () => whole.word());
    for (let at = 0; at < 40; at++) expect(new RandomStream(key, at).word()).toBe(words[at]);
  });

  it("has the moments of its distributions", () => {
    const stream = new RandomStream(keyOf(3, "moments"));
    const n = 100_000;
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i++) {
      const [value] = stream.normals();
      sum += value;
      squares += value * value;
    }
    expect(Math.abs(sum / n)).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(squares / n - 1)).toBeLessThan(6 / Math.sqrt(n));
  });

  it("keeps seeds and purposes apart", () => {
    const keys = [keyOf(1, "a"), keyOf(2, "a"), keyOf(1, "b"), keyOf(2 ** 53 - 1, "a")].map(String);
    expect(new Set(keys).size).toBe(4);
    expect(() => keyOf(-1, "a")).toThrow(RangeError);
    expect(() => keyOf(0.5, "a")).toThrow(RangeError);
  });
});

describe("permutation", () => {
  it("holds every number once, and depends on seed and purpose only", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.nat(1000), (count, seed) => {
        const order = permutation(count, seed, "epoch 0");
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(permutation(count, seed, "epoch 0")).toEqual(order);
      }),
    );
    expect(permutation(100, 1, "epoch 0")).not.toEqual(permutation(100, 1, "epoch 1"));
    expect(permutation(100, 1, "epoch 0")).not.toEqual(permutation(100, 2, "epoch 0"));
  });

  it("puts every number at every place about equally often", () => {
    const counts = Array.from({ length: 5 }, () => new Array<number>(5).fill(0));
    for (let seed = 0; seed < 4000; seed++) {
      permutation(5, seed, "fair").forEach((value, place) => counts[place]![value]!++);
    }
    for (const row of counts) for (const count of row) expect(Math.abs(count - 800)).toBeLessThan(6 * 26);
  });
});

describe("initial values", () => {
  it("depend on the path and the seed, not on what else is made", () => {
    const make = (path: string, seed: number): Float32Array => {
      const values = new Float32Array(33);
      initialise(values, { path, init: { kind: "normal", deviation: 0.02 } }, seed);
      return values;
    };
    expect(make("a", 1)).toEqual(make("a", 1));
    expect(make("a", 1)).not.toEqual(make("b", 1));
    expect(make("a", 1)).not.toEqual(make("a", 2));
  });

  it("stay inside the limits asked for", () => {
    const uniform = new Float32Array(5000);
    initialise(uniform, { path: "u", init: { kind: "uniform", limit: 0.5 } }, 1);
    expect(Math.max(...uniform)).toBeLessThanOrEqual(0.5);
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(-0.5);
    expect(Math.max(...uniform)).toBeGreaterThan(0.49);
    const constant = new Float32Array(4);
    initialise(constant, { path: "c", init: { kind: "constant", value: 1.5 } }, 1);
    expect([...constant]).toEqual([1.5, 1.5, 1.5, 1.5]);
  });
});
