/** The byte tokenizer: ids 0 to 255 are the bytes of the text in UTF-8. */
import type { StreamDecoder, Tokenizer } from "./tokenizer.ts";

function streamDecoder(): StreamDecoder {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    push: (id) => (id < 256 ? decoder.decode(Uint8Array.of(id), { stream: true }) : ""),
    end: () => decoder.decode(),
  };
}

export const byteTokenizer: Tokenizer = {
  name: "bytes",
  hash: "bytes-1",
  size: 256,
  endOfText: null,
  encode: (text) => new Int32Array(Buffer.from(text, "utf8")),
  tokenId: () => null,
  byteLength: (id) => (id < 256 ? 1 : 0),
  decode: (ids) =>
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(ids.filter((id) => id < 256))),
  streamDecoder,
};
