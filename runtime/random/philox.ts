/**
 * Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): random numbers
 * as a function of a key and a counter, so that any of them can be had again without the ones before.
 */

/** Two 32-bit words. */
export type Key = readonly [number, number];

/** Four 32-bit words. */
export type Counter = readonly [number, number, number, number];

export const roundMultiplier0 = 0xd2511f53 | 0;
export const roundMultiplier1 = 0xcd9e8d57 | 0;
export const keyStep0 = 0x9e3779b9 | 0;
export const keyStep1 = 0xbb67ae85 | 0;

/** The upper 32 bits of a 32 × 32 bit product. Whole-number operations only, which no sum here makes overflow. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const carry = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) | 0;
}

/** Writes the four words of `counter` under `key` to `out` at `at`. */
export function philoxInto(out: Uint32Array, at: number, key: Key, counter: Counter): void {
  let [k0, k1] = [key[0] | 0, key[1] | 0];
  let [c0, c1, c2, c3] = [counter[0] | 0, counter[1] | 0, counter[2] | 0, counter[3] | 0];
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(roundMultiplier0, c0);
    const low0 = Math.imul(roundMultiplier0, c0);
    const high1 = multiplyHigh(roundMultiplier1, c2);
    const low1 = Math.imul(roundMultiplier1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + keyStep0) | 0;
    k1 = (k1 + keyStep1) | 0;
  }
  out[at] = c0;
  out[at + 1] = c1;
  out[at + 2] = c2;
  out[at + 3] = c3;
}

/** The four words of `counter` under `key`. */
export function philox(key: Key, counter: Counter): readonly [number, number, number, number] {
  const out = new Uint32Array(4);
  philoxInto(out, 0, key, counter);
  return [out[0]!, out[1]!, out[2]!, out[3]!];
}
