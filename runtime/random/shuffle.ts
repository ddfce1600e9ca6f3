/** The order of rows in an epoch: a permutation that depends on seed, purpose and epoch only. */
import { keyOf, RandomStream } from "./stream.ts";

/** The numbers 0 … count − 1 in random order (Fisher and Yates). `count` at most 2^32 − 1. */
export function permutation(count: number, seed: number, purpose: string): Uint32Array {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  const stream = new RandomStream(keyOf(seed, `order:${purpose}`));
  for (let i = count - 1; i > 0; i--) {
    const j = stream.below(i + 1);
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}
