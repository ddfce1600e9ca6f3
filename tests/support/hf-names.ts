/** Which checkpoint tensor holds each weight of a model, for checkpoints of HuggingFace transformers and PEFT. */

/** Where a weight's numbers are: a tensor, rows or columns of it, perhaps transposed. */
export interface Source {
  readonly name: string;
  /** The tensor is stored [in, out]. */
  readonly transposed?: boolean;
  /** The n-th of `of` equal parts along the output. */
  readonly part?: { readonly n: number; readonly of: number };
}

const rules =
  (pairs: readonly (readonly [RegExp, (parts: string[]) => Source])[]) =>
  (path: string): Source => {
    for (const [pattern, make] of pairs) {
      const match = pattern.exec(path);
      if (match !== null) return make(match.slice(1));
    }
    throw new Error(`no checkpoint name for ${path}`);
  };

/** Llama, Qwen2 and others of that layout. */
export const llamaNames = rules([
  [/^embed\.weight$/, () => ({ name: "model.embed_tokens.weight" })],
  [/^head\.weight$/, () => ({ name: "lm_head.weight" })],
  [/^norm\.final\.weight$/, () => ({ name: "model.norm.weight" })],
  [/^layers\.(\d+)\.norm\.attn\.weight$/, ([l]) => ({ name: `model.layers.${l}.input_layernorm.weight` })],
  [
    /^layers\.(\d+)\.norm\.mlp\.weight$/,
    ([l]) => ({ name: `model.layers.${l}.post_attention_layernorm.weight` }),
  ],
  [
    /^layers\.(\d+)\.attn\.(.)\.(weight|bias)$/,
    ([l, s, w]) => ({ name: `model.layers.${l}.self_attn.${s}_proj.${w}` }),
  ],
  [/^layers\.(\d+)\.mlp\.(\w+)\.weight$/, ([l, s]) => ({ name: `model.layers.${l}.mlp.${s}_proj.weight` })],
]);

const kinds = ["q", "k", "v"];
/** GPT-2: maps are stored [in, out], queries, keys and values in one. */
export const gpt2Names = rules([
  [/^embed\.weight$/, () => ({ name: "transformer.wte.weight" })],
  [/^positions\.weight$/, () => ({ name: "transformer.wpe.weight" })],
  [/^norm\.final\.(weight|bias)$/, ([w]) => ({ name: `transformer.ln_f.${w}` })],
  [/^layers\.(\d+)\.norm\.attn\.(weight|bias)$/, ([l, w]) => ({ name: `transformer.h.${l}.ln_1.${w}` })],
  [/^layers\.(\d+)\.norm\.mlp\.(weight|bias)$/, ([l, w]) => ({ name: `transformer.h.${l}.ln_2.${w}` })],
  [
    /^layers\.(\d+)\.attn\.([qkv])\.(weight|bias)$/,
    ([l, s, w]) => ({
      name: `transformer.h.${l}.attn.c_attn.${w}`,
      transposed: w === "weight",
      part: { n: kinds.indexOf(s!), of: 3 },
    }),
  ],
  [
    /^layers\.(\d+)\.attn\.o\.(weight|bias)$/,
    ([l, w]) => ({ name: `transformer.h.${l}.attn.c_proj.${w}`, transposed: w === "weight" }),
  ],
  [
    /^layers\.(\d+)\.mlp\.(up|down)\.(weight|bias)$/,
    ([l, s, w]) => ({
      name: `transformer.h.${l}.mlp.${s === "up" ? "c_fc" : "c_proj"}.${w}`,
      transposed: w === "weight",
    }),
  ],
]);

interface Tensor {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** The numbers of a weight from its checkpoint tensor, row-major [out, in] as models have them. */
export function fromCheckpoint(source: Source, tensor: Tensor): Float64Array {
  let data = Float64Array.from(tensor.values);
  if (source.transposed === true) {
    const [rows, columns] = tensor.shape as [number, number];
    data = new Float64Array(rows * columns).map(
      (_, n) => tensor.values[(n % rows) * columns + Math.floor(n / rows)]!,
    );
  }
  if (source.part === undefined) return data;
  const size = data.length / source.part.of;
  return data.slice(source.part.n * size, (source.part.n + 1) * size);
}
