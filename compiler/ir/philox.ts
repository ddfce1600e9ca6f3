/**
 * The random numbers of `uniform` expressions. Keying, which kernels share: Philox4x32-10 (Salmon, Moraes, Dror and
 * Shaw, 2011) with key (seed, stream) and counter (element mod 2^32, ⌊element / 2^32⌋, step, 0), where `seed` and
 * `step` are the scalars of those names, `stream` is the expression's own number, and `element` is the row-major
 * number of the element in the map that owns the expression. The number is ⌊word / 2^8⌋ / 2^24 of the first word,
 * so it is exact in f32 and lies in [0, 1).
 */

function multiply(a: number, b: number): { high: number; low: number } {
  const product = BigInt(a) * BigInt(b);
  return { high: Number(product >> 32n), low: Number(product & 0xffffffffn) };
}

/** The first word of the Philox4x32-10 block of a counter under a key; all words are whole numbers below 2^32. */
export function philoxWord(
  key: readonly [number, number],
  counter: readonly [number, number, number, number],
): number {
  let [k0, k1] = key;
  let [c0, c1, c2, c3] = counter;
  for (let round = 0; round < 10; round++) {
    const a = multiply(0xd2511f53, c0);
    const b = multiply(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(b.high ^ c1 ^ k0) >>> 0, b.low, (a.high ^ c3 ^ k1) >>> 0, a.low];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return c0;
}

/** The uniform number in [0, 1) of one element. */
export function uniformNumber(seed: number, stream: number, step: number, element: number): number {
  const counter = [element >>> 0, Math.floor(element / 2 ** 32) >>> 0, step >>> 0, 0] as const;
  return (philoxWord([seed >>> 0, stream >>> 0], counter) >>> 8) * 2 ** -24;
}
