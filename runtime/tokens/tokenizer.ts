/** Tokenizer: text to token ids and back. */

export interface Tokenizer {
  /** `bytes`, or the path it was read from; for people. */
  readonly name: string;
  /** Changes whenever any text could get other ids. */
  readonly hash: string;
  /** Ids are below this. */
  readonly size: number;
  /** Put after each document; null when the tokenizer has none. */
  readonly endOfText: number | null;
  encode(text: string): Int32Array;
  /** The id of a token by its exact name; null when there is none. */
  tokenId(name: string): number | null;
  /** Bytes of UTF-8 text that a token stands for; 0 for `endOfText`. */
  byteLength(id: number): number;
  decode(ids: readonly number[]): string;
  streamDecoder(): StreamDecoder;
}

/** Text of a growing row of ids, given out as soon as it cannot change any more. */
export interface StreamDecoder {
  /** The text that `id` completes; empty while a character is unfinished. */
  push(id: number): string;
  /** What is left; unfinished characters become U+FFFD. */
  end(): string;
}

/** Id of a token that may lie beyond the tokenizer: `name`, `<name>`, or the first free id. */
export function insertedTokenId(tokenizer: Tokenizer, name: string): number {
  return tokenizer.tokenId(name) ?? tokenizer.tokenId(`<${name}>`) ?? tokenizer.size;
}
