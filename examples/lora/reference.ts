/** LoRA (Hu et al., 2022, equation 3): W x + (alpha / rank) · B A x on the query and value maps. */
import { times, type Hooks, type Weights } from "../plain-decoder.ts";

export const hooks = (weights: Weights): Hooks => ({
  linear: (site, x, y) => {
    if (!/attn\.[qv]$/.test(site)) return y;
    const delta = times(weights(`${site}.lora.b`), times(weights(`${site}.lora.a`), x));
    return y.map((value, o) => value + (16 / 8) * delta[o]!);
  },
});
