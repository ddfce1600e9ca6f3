/** Prefix tuning (Li and Liang, 2021, section 4.2): learned keys and values that every query of a layer sees, without positions. */
import type { Hooks, Weights } from "../plain-decoder.ts";

const length = 8;

export const hooks = (weights: Weights): Hooks => ({
  prefix: (site) => {
    const [keys, values] = [weights(`${site}.prefix.keys`), weights(`${site}.prefix.values`)];
    const heads = 4;
    const size = keys.length / length / heads;
    const cut = (table: Float64Array, n: number): Float64Array[] =>
      Array.from({ length: heads }, (_, g) =>
        table.slice((n * heads + g) * size, (n * heads + g + 1) * size),
      );
    return Array.from({ length }, (_, n) => ({ key: cut(keys, n), value: cut(values, n) }));
  },
});
