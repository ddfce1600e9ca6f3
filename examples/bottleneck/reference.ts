/** Houlsby adapters (Houlsby et al., 2019, figure 2): y + Up relu(Down y + c) + b after attention and feed-forward. */
import { times, type Hooks, type Weights } from "../plain-decoder.ts";

export const hooks = (weights: Weights): Hooks => ({
  residual: (site, _, y) => {
    const [c, b] = [weights(`${site}.bottleneck.down_bias`), weights(`${site}.bottleneck.up_bias`)];
    const low = times(weights(`${site}.bottleneck.down`), y).map((value, r) => Math.max(value + c[r]!, 0));
    const high = times(weights(`${site}.bottleneck.up`), low);
    return y.map((value, i) => value + high[i]! + b[i]!);
  },
});
