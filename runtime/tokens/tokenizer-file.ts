/** A tokenizer read from a tokenizer.json (the format of Hugging Face's tokenizers), run by @huggingface/tokenizers. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Tokenizer as FileTokenizer } from "@huggingface/tokenizers";
import { LctxError } from "../errors.ts";
import type { StreamDecoder, Tokenizer } from "./tokenizer.ts";

/** Files above this are refused: no vocabulary needs as much. */
const maxBytes = 256 * 2 ** 20;

type Json = Record<string, unknown>;

function readJson(path: string): { text: string; value: Json } {
  let text: string;
  try {
    const bytes = readFileSync(path);
    if (bytes.byteLength > maxBytes) {
      throw new LctxError("tokenizer-format", `${path} is larger than ${maxBytes / 2 ** 20} MiB`);
    }
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    if (cause instanceof LctxError) throw cause;
    throw new LctxError("tokenizer-format", `${path} cannot be read as UTF-8 text`, "", { cause });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not an object");
    return { text, value: value as Json };
  } catch (cause) {
    throw new LctxError("tokenizer-format", `${path} is not a JSON object`, "", { cause });
  }
}

/** All objects with a `type` inside a tokenizer's part, itself first. */
function partTypes(part: unknown): string[] {
  if (typeof part !== "object" || part === null) return [];
  const { type, decoders, pretokenizers } = part as Json;
  const inner = [decoders, pretokenizers].flatMap((list) => (Array.isArray(list) ? list : []));
  return [...(typeof type === "string" ? [type] : []), ...inner.flatMap(partTypes)];
}

/** Bytes of text behind a piece of the vocabulary. */
function pieceBytes(piece: string, byteLevel: boolean): number {
  // In byte-level vocabularies each character stands for one byte.
  if (byteLevel) return [...piece].length;
  if (/^<0x[0-9A-Fa-f]{2}>$/.test(piece)) return 1;
  return Buffer.byteLength(piece.replaceAll("▁", " "), "utf8");
}

/** Names that end a document, most usual first; read from tokenizer_config.json when it is there. */
function endOfTextId(config: Json, idOf: (name: string) => number | null): number | null {
  const stated = config["eos_token"];
  const name =
    typeof stated === "string" ? stated : ((stated as Json | null | undefined)?.["content"] ?? undefined);
  const names = [...(typeof name === "string" ? [name] : []), "<|endoftext|>", "<|end_of_text|>", "</s>"];
  for (const candidate of names) {
    const id = idOf(candidate);
    if (id !== null) return id;
  }
  return null;
}

/**
 * Reads `path`, a tokenizer.json or the folder that holds one, with tokenizer_config.json beside it when there is one.
 * Throws LctxError `tokenizer-format`.
 */
export function readTokenizer(path: string): Tokenizer {
  const file = path.endsWith(".json") ? path : join(path, "tokenizer.json");
  const { text, value } = readJson(file);
  const configFile = join(dirname(file), "tokenizer_config.json");
  const configText = existsSync(configFile) ? readJson(configFile) : { text: "", value: {} as Json };
  let inner: FileTokenizer;
  let vocabulary: Map<string, number>;
  try {
    inner = new FileTokenizer(value, configText.value);
    vocabulary = inner.get_vocab(true);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LctxError("tokenizer-format", `${file} is not a tokenizer: ${reason}`, "", { cause });
  }
  const byteLevel = [...partTypes(value["decoder"]), ...partTypes(value["pre_tokenizer"])].includes(
    "ByteLevel",
  );
  const added = inner.get_added_tokens_decoder();
  let size = 0;
  for (const id of vocabulary.values()) size = Math.max(size, id + 1);
  for (const id of added.keys()) size = Math.max(size, id + 1);
  if (size === 0) throw new LctxError("tokenizer-format", `${file} has an empty vocabulary`);

  const idOf = (name: string): number | null => inner.token_to_id(name) ?? null;
  const endOfText = endOfTextId(configText.value, idOf);
  const lengths = new Int32Array(size);
  for (const [piece, id] of vocabulary) lengths[id] = pieceBytes(piece, byteLevel);
  for (const [id, token] of added) lengths[id] = Buffer.byteLength(token.content, "utf8");
  if (endOfText !== null) lengths[endOfText] = 0;

  const decode = (ids: readonly number[]): string =>
    ids.length === 0
      ? ""
      : inner.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  return {
    name: path,
    hash: createHash("sha256").update(text).update("\0").update(configText.text).digest("hex"),
    size,
    endOfText,
    encode: (part) => Int32Array.from(inner.encode(part, { add_special_tokens: false }).ids),
    tokenId: idOf,
    byteLength: (id) => lengths[id] ?? 0,
    decode,
    streamDecoder: () => prefixDecoder(decode),
  };
}

/**
 * Decodes again from the last place where text was given out, with the ids of one step before as context: what a
 * token adds may depend on its left neighbour (spaces), and a character may need several tokens.
 */
export function prefixDecoder(decode: (ids: readonly number[]) => string): StreamDecoder {
  let context: readonly number[] = [];
  let pending: number[] = [];
  const fresh = (): string => {
    const before = decode(context);
    const all = decode([...context, ...pending]);
    return all.startsWith(before) ? all.slice(before.length) : all;
  };
  return {
    push: (id) => {
      pending.push(id);
      const text = fresh();
      if (text === "" || text.endsWith("\ufffd")) return "";
      context = pending;
      pending = [];
      return text;
    },
    end: () => {
      const text = pending.length === 0 ? "" : fresh();
      context = [];
      pending = [];
      return text;
    },
  };
}
