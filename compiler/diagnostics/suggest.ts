/** "Did you mean": the name in scope that was most likely meant. */
import { distance } from "fastest-levenshtein";

export interface Candidate {
  readonly name: string;
  /** `position`, `block`, `mask`, `module` …; what the name stands for. */
  readonly kind: string;
}

/** Words of other frameworks and papers, and what the language calls them. */
const otherWords: Readonly<Record<string, readonly string[]>> = {
  q_idx: ["q"],
  query_idx: ["q"],
  qi: ["q"],
  kv_idx: ["k"],
  k_idx: ["k"],
  key_idx: ["k"],
  kj: ["k"],
  head_idx: ["h"],
  head: ["h"],
  num_heads: ["heads"],
  n_heads: ["heads"],
  n_head: ["heads"],
  nhead: ["heads"],
  num_attention_heads: ["heads"],
  num_key_value_heads: ["kv_heads"],
  n_kv_heads: ["kv_heads"],
  num_kv_heads: ["kv_heads"],
  n_head_kv: ["kv_heads"],
  seq_len: ["length"],
  seqlen: ["length"],
  sequence_length: ["length"],
  max_seq_len: ["length"],
  block_size: ["length", "block"],
  context_length: ["length"],
  max_position_embeddings: ["length"],
  n_positions: ["length"],
  n_ctx: ["length"],
  topk: ["top"],
  k_top: ["top"],
  n_layer: ["layers"],
  n_layers: ["layers"],
  num_layers: ["layers"],
  num_hidden_layers: ["layers"],
  depth: ["layers"],
  d_model: ["width"],
  n_embd: ["width"],
  hidden_size: ["width"],
  dim: ["width", "d"],
  embed_dim: ["width"],
  d_ff: ["hidden"],
  ffn_dim: ["hidden"],
  intermediate_size: ["hidden"],
  n_inner: ["hidden"],
  head_dim: ["size", "dims"],
  d_head: ["size", "dims"],
  vocab_size: ["vocab"],
  n_vocab: ["vocab"],
  tie_word_embeddings: ["tied"],
  rms_norm_eps: ["epsilon"],
  layer_norm_eps: ["epsilon"],
  norm_eps: ["epsilon"],
  eps: ["epsilon"],
  rope_theta: ["base"],
  theta: ["base"],
  scores: ["s"],
  logits: ["s"],
  logit: ["s"],
  qk: ["s"],
  attn_mask: ["mask"],
  is_causal: ["causal"],
  causal_mask: ["causal"],
  sliding_window: ["window"],
  document_id: ["document"],
  doc: ["document"],
  doc_ids: ["document"],
  learning_rate: ["lr"],
  weight_decay: ["decay"],
  wd: ["decay"],
  r: ["rank"],
  lora_alpha: ["alpha"],
  lora_dropout: ["rate"],
  dropout: ["rate"],
  p: ["rate"],
  warmup_steps: ["warmup"],
  batch_size: ["batch"],
  max_steps: ["over"],
  q_proj: ["attn.q", "q"],
  k_proj: ["attn.k", "k"],
  v_proj: ["attn.v", "v"],
  o_proj: ["attn.o", "o"],
  gate_proj: ["mlp.gate", "gate"],
  up_proj: ["mlp.up", "up"],
  down_proj: ["mlp.down", "down"],
  lm_head: ["head"],
  wte: ["embed"],
  embed_tokens: ["embed"],
  wpe: ["positions"],
  self_attn: ["attn"],
  relu: ["relu"],
  float: ["Real"],
  int: ["Count"],
  bool: ["Bool"],
  str: ["Text"],
  mean_over: ["mean"],
  argmax: ["max"],
  maximum: ["max"],
  minimum: ["min"],
  len: ["length"],
  einsum: ["sum"],
  arange: ["ordinal"],
  pow: ["^"],
};

/** The last part of a dotted name: `torch.topk` is `topk`. */
const lastPart = (name: string): string => name.slice(name.lastIndexOf(".") + 1);

/**
 * The candidate most likely meant by `name`, or null. Candidates of the wanted kind are asked first; then a name at
 * most max(1, length / 3) edits away, then one that differs in case only, then the translation of another framework's word.
 */
export function suggest(name: string, candidates: readonly Candidate[], wanted?: string): string | null {
  // A name that long was not mistyped, and the distance is quadratic.
  if (name.length > 128) return null;
  const groups =
    wanted === undefined
      ? [candidates]
      : [candidates.filter((c) => c.kind === wanted), candidates.filter((c) => c.kind !== wanted)];
  const translated = Object.hasOwn(otherWords, lastPart(name)) ? otherWords[lastPart(name)]! : [];
  const known = new Set(candidates.map((c) => c.name));
  // An exact word of another framework says more than a name that happens to be near.
  const translation = translated.find((word) => known.has(word));
  if (translation !== undefined && translation !== name) return translation;
  for (const group of groups) {
    const near = nearest(name, group);
    if (near !== null) return near;
  }
  const folded = candidates.find((c) => c.name !== name && c.name.toLowerCase() === name.toLowerCase());
  return folded?.name ?? null;
}

/** Whether two names differ by two neighbouring letters that changed places: one slip of the fingers, two edits. */
function isSwap(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return (
    at + 1 < a.length && a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2)
  );
}

function nearest(name: string, candidates: readonly Candidate[]): string | null {
  const limit = Math.max(1, Math.floor(name.length / 3));
  let best: string | null = null;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    if (candidate.name === name || Math.abs(candidate.name.length - name.length) > limit) continue;
    // One edit turns any one-letter name into any other; that is no likeness.
    if (name.length === 1 && candidate.name.toLowerCase() !== name.toLowerCase()) continue;
    const edits = isSwap(name, candidate.name) ? 1 : distance(name, candidate.name);
    if (edits < bestDistance) {
      best = candidate.name;
      bestDistance = edits;
    }
  }
  return best;
}

/** "did you mean `x`?" or null. */
export function didYouMean(name: string, candidates: readonly Candidate[], wanted?: string): string | null {
  const found = suggest(name, candidates, wanted);
  return found === null ? null : `did you mean \`${found}\`?`;
}
