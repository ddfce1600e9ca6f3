/** Sampling: one token from logits. */
import type { RandomStream } from "../random/stream.ts";

export interface SampleOptions {
  /** Logits are divided by it; 0 takes the likeliest token (the lowest id of equals). */
  readonly temperature: number;
  /** Only the `topK` likeliest tokens; null: all. */
  readonly topK: number | null;
  /** Only the likeliest tokens that together hold this share of the probability, the one that reaches it included; null: all. */
  readonly topP: number | null;
}

/** Ids with their probabilities, likeliest first, after temperature, top-k and top-p; they sum to 1. */
export function candidates(
  logits: Float32Array,
  allowed: (id: number) => boolean,
  { temperature, topK, topP }: SampleOptions,
): { readonly ids: readonly number[]; readonly probabilities: readonly number[] } {
  let ids: number[] = [];
  for (let id = 0; id < logits.length; id++) if (allowed(id) && !Number.isNaN(logits[id])) ids.push(id);
  if (ids.length === 0) throw new RangeError("no token is allowed");
  ids.sort((a, b) => logits[b]! - logits[a]! || a - b);
  if (temperature === 0) return { ids: [ids[0]!], probabilities: [1] };
  if (topK !== null) ids = ids.slice(0, Math.max(1, topK));
  const top = logits[ids[0]!]!;
  let weights = ids.map((id) => (logits[id] === top ? 1 : Math.exp((logits[id]! - top) / temperature)));
  let total = weights.reduce((sum, weight) => sum + weight, 0);
  if (topP !== null) {
    let sum = 0;
    const count = weights.findIndex((weight) => (sum += weight) >= topP * total);
    // Rounding may leave the sum a hair below 1: then all stay.
    if (count >= 0) {
      ids = ids.slice(0, count + 1);
      weights = weights.slice(0, count + 1);
      total = weights.reduce((part, weight) => part + weight, 0);
    }
  }
  return { ids, probabilities: weights.map((weight) => weight / total) };
}

/** Draws one id. `allowed` tells which may come. Takes two words of `random` unless the temperature is 0. */
export function sample(
  logits: Float32Array,
  allowed: (id: number) => boolean,
  options: SampleOptions,
  random: RandomStream,
): number {
  const { ids, probabilities } = candidates(logits, allowed, options);
  if (options.temperature === 0) return ids[0]!;
  let left = random.uniform();
  for (let i = 0; i < ids.length; i++) {
    left -= probabilities[i]!;
    if (left < 0) return ids[i]!;
  }
  return ids.at(-1)!;
}
