/** Parallel adapters (He et al., 2022, table 1): y + s · (Up relu(Down x + c) + b), x the feed-forward layer's input, s = 4. */
import { times, type Hooks, type Weights } from "../plain-decoder.ts";

export const hooks = (weights: Weights): Hooks => ({
  residual: (site, x, y) => {
    if (!site.endsWith("mlp")) return y;
    const [c, b] = [weights(`${site}.parallel.down_bias`), weights(`${site}.parallel.up_bias`)];
    const low = times(weights(`${site}.parallel.down`), x).map((value, r) => Math.max(value + c[r]!, 0));
    const high = times(weights(`${site}.parallel.up`), low);
    return y.map((value, i) => value + 4 * (high[i]! + b[i]!));
  },
});
