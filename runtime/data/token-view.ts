/** TokenView: parts of a token file seen as one row of tokens; how text is divided into training and held-out parts. */
import { closeSync, openSync, readSync } from "node:fs";
import { LctxError, systemCode } from "../errors.ts";
import { philox } from "../random/philox.ts";
import { keyOf } from "../random/stream.ts";
import type { TokenFile } from "./token-cache.ts";
import type { DataSettings } from "../train/settings.ts";

/** Tokens `[from, to)` of the file, all of one document. */
export interface Segment {
  readonly from: number;
  readonly to: number;
}

/** The order of segments is the order of tokens. */
export class TokenView {
  readonly #file: TokenFile;
  readonly #segments: readonly Segment[];
  /** Where each segment starts in the view; one more entry than segments. */
  readonly #starts: Float64Array;
  #descriptor: number | null = null;

  constructor(file: TokenFile, segments: readonly Segment[]) {
    this.#file = file;
    this.#segments = segments.filter((segment) => segment.to > segment.from);
    this.#starts = new Float64Array(this.#segments.length + 1);
    this.#segments.forEach((segment, i) => {
      this.#starts[i + 1] = this.#starts[i]! + segment.to - segment.from;
    });
  }

  get tokens(): number {
    return this.#starts[this.#segments.length]!;
  }

  get documents(): number {
    return this.#segments.length;
  }

  /** The first token of a document; of one past the last, the end of the view. */
  startOf(document: number): number {
    return this.#starts[document]!;
  }

  /**
   * Fills `ids` with tokens from `at` on and `documents` with the number of each token's segment.
   * Throws LctxError `data-changed` when the file no longer holds them.
   */
  read(at: number, ids: Int32Array, documents: Int32Array): void {
    if (at < 0 || at + ids.length > this.tokens) throw new RangeError("tokens outside the view");
    let segment = this.#segmentAt(at);
    for (let done = 0; done < ids.length; segment++) {
      const offset = at + done - this.#starts[segment]!;
      const count = Math.min(ids.length - done, this.#starts[segment + 1]! - at - done);
      this.#readFile(this.#segments[segment]!.from + offset, ids.subarray(done, done + count));
      documents.fill(segment, done, done + count);
      done += count;
    }
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }

  #segmentAt(at: number): number {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #readFile(from: number, ids: Int32Array): void {
    const { width } = this.#file.facts;
    const bytes = Buffer.alloc(ids.length * width);
    try {
      this.#descriptor ??= openSync(this.#file.path, "r");
      for (let done = 0; done < bytes.length;) {
        const read = readSync(this.#descriptor, bytes, done, bytes.length - done, from * width + done);
        if (read === 0) throw new LctxError("data-changed", `${this.#file.path} became shorter while in use`);
        done += read;
      }
    } catch (cause) {
      if (cause instanceof LctxError) throw cause;
      throw new LctxError("data-unreadable", `${this.#file.path} cannot be read (${systemCode(cause)})`, "", {
        cause,
      });
    }
    for (let i = 0; i < ids.length; i++) {
      ids[i] = width === 2 ? bytes.readUInt16LE(i * 2) : bytes.readUInt32LE(i * 4);
    }
  }
}

/** Documents needed, per held-out share, to hold out whole documents instead of the end of each. */
const documentsForWhole = 20;

/**
 * Divides a token file. With many documents whole ones are held out, drawn by their number; with few, the last part of
 * each. The division depends on the text and `validate` only, so every run on the same text holds out the same part.
 */
export function splitTokens(
  file: TokenFile,
  validate: DataSettings["validate"],
): { readonly train: TokenView; readonly validation: TokenView } {
  const { tokens, documents } = file.facts;
  const share = validate.kind === "share" ? validate.value : Math.min(1, validate.value / tokens);
  const train: Segment[] = [];
  const held: Segment[] = [];
  const key = keyOf(0, "held-out documents");
  const whole = share > 0 && documents.length >= documentsForWhole / share;
  documents.forEach((from, i) => {
    const to = documents[i + 1] ?? tokens;
    if (whole) {
      const isHeld = philox(key, [i >>> 0, Math.floor(i / 2 ** 32), 0, 0])[0] / 2 ** 32 < share;
      (isHeld ? held : train).push({ from, to });
      return;
    }
    const cut = to - Math.round((to - from) * share);
    train.push({ from, to: cut });
    held.push({ from: cut, to });
  });
  return { train: new TokenView(file, train), validation: new TokenView(file, held) };
}
