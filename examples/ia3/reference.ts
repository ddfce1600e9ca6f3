/** IA3 (Liu et al., 2022, section 3.3): keys, values and the input of the second feed-forward map, each times a vector. */
import type { Hooks, Weights } from "../plain-decoder.ts";

export const hooks = (weights: Weights): Hooks => ({
  linear: (site, _, y) => {
    if (!/attn\.[kv]$/.test(site)) return y;
    const scale = weights(`${site}.ia3.scale`);
    return y.map((value, o) => value * scale[o]!);
  },
  linearInput: (site, x) => {
    if (!site.endsWith("mlp.down")) return x;
    const scale = weights(`${site}.ia3_input.scale`);
    return x.map((value, i) => value * scale[i]!);
  },
});
