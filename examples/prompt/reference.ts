/** Prompt tuning (Lester et al., 2021, section 2): learned vectors take the first positions, the text follows. */
import type { Hooks, Weights } from "../plain-decoder.ts";

export const hooks = (weights: Weights): Hooks => {
  const vectors = weights("embed.prompt.vectors");
  const width = vectors.length / 8;
  return { before: Array.from({ length: 8 }, (_, n) => vectors.slice(n * width, (n + 1) * width)) };
};
