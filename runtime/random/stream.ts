/** Random numbers of one purpose: a key made from the run's seed and a name, and a position that can be set. */
import { createHash } from "node:crypto";
import { mostBlocks, philoxBlocks } from "./philox-blocks.ts";
import { philoxInto } from "./philox.ts";
import type { Key } from "./philox.ts";

/** The key of `purpose` under `seed` (0 … 2^53 − 1). Different purposes are independent. */
export function keyOf(seed: number, purpose: string): Key {
  if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`a seed is a whole number, not ${seed}`);
  const digest = createHash("sha256").update(`${seed}\0${purpose}`, "utf8").digest();
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)];
}

/** Words one after another; `position` counts words from 0. */
export class RandomStream {
  readonly #key: Key;
  readonly #block = new Uint32Array(4);
  #blockNumber = -1;
  #position: number;

  constructor(key: Key, position = 0) {
    this.#key = key;
    this.#position = position;
  }

  /** Where the next word is taken; enough to go on later. */
  get position(): number {
    return this.#position;
  }

  /** A whole number from 0 to 2^32 − 1. */
  word(): number {
    const block = Math.floor(this.#position / 4);
    if (block !== this.#blockNumber) {
      philoxInto(this.#block, 0, this.#key, [block >>> 0, Math.floor(block / 2 ** 32) >>> 0, 0, 0]);
      this.#blockNumber = block;
    }
    const word = this.#block[this.#position % 4]!;
    this.#position++;
    return word;
  }

  /** A number in [0, 1) with 53 bits; takes two words. */
  uniform(): number {
    const high = this.word() >>> 5;
    const low = this.word() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** A whole number in [0, limit), each equally likely up to 2^−32; `limit` at most 2^32. */
  below(limit: number): number {
    return Math.floor(this.uniform() * limit);
  }

  /** Two independent standard normal numbers (Box and Muller, 1958). */
  normals(): readonly [number, number] {
    // 1 − u lies in (0, 1], so the logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  }

  /**
   * Fills `values` with what `normals` gives, times `deviation`; from a new stream only. Weights are made at every start
   * of a run, millions of them, so this one works on whole blocks.
   */
  fillNormals(values: Float32Array, deviation: number): void {
    if (this.#position !== 0) throw new RangeError("words of this stream were taken before");
    for (let i = 0; i < values.length; i += 2 * mostBlocks) {
      const part = values.subarray(i, i + 2 * mostBlocks);
      const words = philoxBlocks(this.#key, i / 2, Math.ceil(part.length / 2));
      for (let n = 0, at = 0; n < part.length; n += 2, at += 4) {
        const first = ((words[at]! >>> 5) * 2 ** 26 + (words[at + 1]! >>> 6)) / 2 ** 53;
        const second = ((words[at + 2]! >>> 5) * 2 ** 26 + (words[at + 3]! >>> 6)) / 2 ** 53;
        const radius = Math.sqrt(-2 * Math.log(1 - first));
        const angle = 2 * Math.PI * second;
        part[n] = radius * Math.cos(angle) * deviation;
        if (n + 1 < part.length) part[n + 1] = radius * Math.sin(angle) * deviation;
      }
    }
  }
}
