/** Tokenizers: round trips, ids, byte counts, and text that streams out without broken characters. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { byteTokenizer } from "../../runtime/tokens/bytes.ts";
import { openTokenizer } from "../../runtime/tokens/open-tokenizer.ts";
import type { Tokenizer } from "../../runtime/tokens/tokenizer.ts";
import { insertedTokenId } from "../../runtime/tokens/tokenizer.ts";

/** The characters that byte-level vocabularies use for the 256 bytes (the table of the format). */
function byteCharacters(): string[] {
  const printable = (b: number): boolean =>
    (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  const out: string[] = [];
  let next = 256;
  for (let b = 0; b < 256; b++) out.push(String.fromCodePoint(printable(b) ? b : next++));
  return out;
}

/** A small byte-level BPE tokenizer: 256 bytes, four merges, one end token. */
function smallTokenizer(): object {
  const bytes = byteCharacters();
  const merges = ["t h", "th e", "Ġ the", "Ã ©"];
  const pieces = [...bytes, ...merges.map((merge) => merge.replace(" ", "")), "<|endoftext|>"];
  return {
    version: "1.0",
    added_tokens: [
      { id: 260, content: "<|endoftext|>", special: true, normalized: false, lstrip: false, rstrip: false },
    ],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])), merges },
  };
}

let folder = "";
let fromFile: Tokenizer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lctx-tokens-"));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(smallTokenizer()));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ eos_token: "<|endoftext|>" }));
  fromFile = await openTokenizer("tokenizer.json", ["/nowhere", folder]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const text = fc.string({ unit: "grapheme", maxLength: 60 });

function stream(tokenizer: Tokenizer, ids: Iterable<number>): string {
  const decoder = tokenizer.streamDecoder();
  let out = "";
  for (const id of ids) out += decoder.push(id);
  return out + decoder.end();
}

describe.each([
  ["bytes", (): Tokenizer => byteTokenizer],
  ["tokenizer.json", (): Tokenizer => fromFile],
])("%s", (_, tokenizer) => {
  it("gives text back, whole and streamed, and counts its bytes exactly", () => {
    fc.assert(
      fc.property(text, (sample) => {
        const ids = tokenizer().encode(sample);
        expect(tokenizer().decode([...ids])).toBe(sample);
        expect(stream(tokenizer(), ids)).toBe(sample);
        const bytes = [...ids].reduce((sum, id) => sum + tokenizer().byteLength(id), 0);
        expect(bytes).toBe(Buffer.byteLength(sample, "utf8"));
      }),
    );
  });
});

describe("streamed text", () => {
  it("holds a character back until its last byte", () => {
    const decoder = byteTokenizer.streamDecoder();
    const bytes = [...Buffer.from("aé€😀", "utf8")];
    const pushed = bytes.map((id) => decoder.push(id));
    expect(pushed).toEqual(["a", "", "é", "", "", "€", "", "", "", "😀"]);
    expect(decoder.end()).toBe("");
  });

  it("shows an unfinished character only at the end", () => {
    const decoder = byteTokenizer.streamDecoder();
    expect(decoder.push(0xe2)).toBe("");
    expect(decoder.push(0x82)).toBe("");
    expect(decoder.end()).toBe("\ufffd");
  });
});

describe("tokenizer.json", () => {
  it("applies its merges and knows its special tokens", () => {
    expect([...fromFile.encode("the the é")].slice(0, 2)).toEqual([257, 258]);
    expect(fromFile.size).toBe(261);
    expect(fromFile.endOfText).toBe(260);
    expect(fromFile.byteLength(260)).toBe(0);
    expect(fromFile.byteLength(258)).toBe(4);
    expect(fromFile.byteLength(259)).toBe(2);
    expect(insertedTokenId(fromFile, "the")).toBe(257);
    expect(insertedTokenId(fromFile, "marker")).toBe(261);
    expect(insertedTokenId(byteTokenizer, "marker")).toBe(256);
  });

  it("says what is wrong with a bad file or a missing one", async () => {
    await expect(openTokenizer("absent.json", [folder])).rejects.toMatchObject({
      code: "tokenizer-not-found",
      exitCode: 3,
    });
    for (const bad of ["", "[]", "{}", '{"model":{"type":"Nothing"}}', "\u0000"]) {
      writeFileSync(join(folder, "bad.json"), bad);
      await expect(openTokenizer("bad.json", [folder])).rejects.toMatchObject({ code: "tokenizer-format" });
    }
  });
});
