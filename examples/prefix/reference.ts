/** Prefix tuning (Li and Liang, 2021, section 4.2): learned keys and values that every query of a layer sees; these keys are not rotated. */
import type { DecoderSizes, Hooks, Weights } from "../plain-decoder.ts";

const length = 8;

export const hooks = (weights: Weights, { heads, kvHeads, width }: DecoderSizes): Hooks => ({
  prefix: (site) => {
    const [keys, values] = [weights(`${site}.prefix.keys`), weights(`${site}.prefix.values`)];
    const size = width / heads;
    const cut = (table: Float64Array, n: number): Float64Array[] =>
      Array.from({ length: kvHeads }, (_, g) =>
        table.slice((n * kvHeads + g) * size, (n * kvHeads + g + 1) * size),
      );
    return Array.from({ length }, (_, n) => ({ key: cut(keys, n), value: cut(values, n) }));
  },
});
