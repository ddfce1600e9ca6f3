/** A decoder in float64 with loops only: the model that references of adapter examples change in one place. */
import { rotated } from "./dense.ts";

export interface DecoderSizes {
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly width: number;
  readonly epsilon: number;
}

/** A weight, row-major, by path: `layers.0.attn.q.weight`. */
export type Weights = (path: string) => Float64Array;

/** Where an adapter may act. `site` is a path without the parameter's name. */
export interface Hooks {
  /** A linear map: its input and output, the new output. */
  readonly linear?: (site: string, x: Float64Array, y: Float64Array) => Float64Array;
  /** The input of a linear map. */
  readonly linearInput?: (site: string, x: Float64Array) => Float64Array;
  /** A sub-layer before it is added to the stream: its input (after the norm) and output, the new output. */
  readonly residual?: (site: string, x: Float64Array, y: Float64Array) => Float64Array;
  /** Vectors in front of the text's. */
  readonly before?: readonly Float64Array[];
  /** Keys and values in front of the text's, [position][key-value head]; these keys are not rotated. */
  readonly prefix?: (site: string) => readonly {
    readonly key: readonly Float64Array[];
    readonly value: readonly Float64Array[];
  }[];
}

/** weight [out, in] times x. */
export function times(weight: Float64Array, x: Float64Array): Float64Array {
  const y = new Float64Array(weight.length / x.length);
  for (let o = 0; o < y.length; o++)
    for (let i = 0; i < x.length; i++) y[o]! += weight[o * x.length + i]! * x[i]!;
  return y;
}

const sum = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value + b[i]!);

/** Logits [tokens][vocabulary] of the text's positions. */
export function decode(
  tokens: readonly number[],
  sizes: DecoderSizes,
  weights: Weights,
  hooks: Hooks = {},
): readonly Float64Array[] {
  const { heads, kvHeads, width, epsilon } = sizes;
  const size = width / heads;
  const norm = (path: string, x: Float64Array): Float64Array => {
    const power = x.reduce((total, value) => total + value * value, 0) / x.length;
    const gain = weights(`${path}.weight`);
    return x.map((value, i) => (value / Math.sqrt(power + epsilon)) * gain[i]!);
  };
  const linear = (site: string, given: Float64Array): Float64Array => {
    const x = hooks.linearInput?.(site, given) ?? given;
    const y = times(weights(`${site}.weight`), x);
    return hooks.linear?.(site, x, y) ?? y;
  };
  const embed = weights("embed.weight");
  let stream = [
    ...(hooks.before ?? []),
    ...tokens.map((token) => embed.slice(token * width, (token + 1) * width)),
  ];
  for (let layer = 0; layer < sizes.layers; layer++) {
    const at = `layers.${layer}`;
    const x = stream.map((vector) => norm(`${at}.norm.attn`, vector));
    const cut = (vector: Float64Array, n: number): Float64Array => vector.slice(n * size, (n + 1) * size);
    const q = x.map((vector) => linear(`${at}.attn.q`, vector));
    const k = x.map((vector) => linear(`${at}.attn.k`, vector));
    const v = x.map((vector) => linear(`${at}.attn.v`, vector));
    const prefix = hooks.prefix?.(`${at}.attn`) ?? [];
    const mixed = q.map((query, t) => {
      const row = new Float64Array(width);
      for (let head = 0; head < heads; head++) {
        const group = Math.floor(head / (heads / kvHeads));
        const a = cut(query, head);
        const seen = [
          ...prefix.map(({ key, value }) => ({ a: rotated(a, t), b: key[group]!, value: value[group]! })),
          ...k.slice(0, t + 1).map((key, n) => ({
            a: rotated(a, t),
            b: rotated(cut(key, group), n),
            value: cut(v[n]!, group),
          })),
        ].map((pair) => ({
          value: pair.value,
          logit: pair.a.reduce((total, x, e) => total + x * pair.b[e]!, 0) / Math.sqrt(size),
        }));
        const top = Math.max(...seen.map(({ logit }) => logit));
        const total = seen.reduce((part, { logit }) => part + Math.exp(logit - top), 0);
        for (const { value, logit } of seen)
          for (let e = 0; e < size; e++) row[head * size + e]! += (Math.exp(logit - top) / total) * value[e]!;
      }
      return row;
    });
    const attended = mixed.map((row, t) => {
      const y = linear(`${at}.attn.o`, row);
      return hooks.residual?.(`${at}.attn`, x[t]!, y) ?? y;
    });
    stream = stream.map((vector, t) => sum(vector, attended[t]!));
    const z = stream.map((vector) => norm(`${at}.norm.mlp`, vector));
    stream = stream.map((vector, t) => {
      const gate = linear(`${at}.mlp.gate`, z[t]!);
      const up = linear(`${at}.mlp.up`, z[t]!);
      const hidden = gate.map((g, i) => (g / (1 + Math.exp(-g))) * up[i]!);
      const y = linear(`${at}.mlp.down`, hidden);
      return sum(vector, hooks.residual?.(`${at}.mlp`, z[t]!, y) ?? y);
    });
  }
  return stream
    .slice(hooks.before?.length ?? 0)
    .map((vector) => times(weights("head.weight"), norm("norm.final", vector)));
}
