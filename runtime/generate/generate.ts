/** Generation: text that goes on from a prompt, token by token. */
import { isInserted, layOut } from "../data/rows.ts";
import type { RowLayout } from "../data/rows.ts";
import { LctxError } from "../errors.ts";
import { keyOf, RandomStream } from "../random/stream.ts";
import type { Tokenizer } from "../tokens/tokenizer.ts";
import type { NextToken } from "./next-token.ts";
import { sample } from "./sample.ts";
import type { SampleOptions } from "./sample.ts";

export interface GenerateOptions extends SampleOptions {
  readonly prompt: string;
  /** Tokens to write, at most. */
  readonly tokens: number;
  readonly seed: number;
  /** How rows were laid out in training: inserted tokens are put in as they were there. */
  readonly layout: Pick<RowLayout, "insert">;
}

/** The row whose next token is the next token of text: inserted tokens that are due at its end are part of it. */
export function rowFor(layout: Pick<RowLayout, "insert">, text: readonly number[]): number[] {
  const row = layOut(layout, text);
  if (layout.insert !== null && isInserted(layout, row.length)) row.push(layout.insert.id);
  return row;
}

/** The end of the text whose row fits the model. Whole stretches between inserted tokens are left out, so that they stay aligned. */
function fitting(
  layout: Pick<RowLayout, "insert">,
  text: readonly number[],
  maxLength: number | null,
): number[] {
  let row = rowFor(layout, text);
  if (maxLength === null || row.length <= maxLength) return row;
  const step = layout.insert?.every ?? 1;
  const surplus = row.length - maxLength;
  // One stretch of text takes one position more than its tokens when tokens are inserted.
  const stretch = layout.insert === null ? 1 : step + 1;
  row = rowFor(layout, text.slice(Math.ceil(surplus / stretch) * step));
  return row;
}

/**
 * Yields text as it becomes complete, without the prompt. Ends after `tokens` tokens or at the tokenizer's end of text.
 * The same seed gives the same text. Throws LctxError `settings-invalid` for an empty prompt.
 */
export async function* generate(
  model: NextToken,
  tokenizer: Tokenizer,
  options: GenerateOptions,
): AsyncGenerator<string, { readonly tokens: number }> {
  const text = [...tokenizer.encode(options.prompt)];
  if (text.length === 0) {
    if (tokenizer.endOfText === null) {
      throw new LctxError(
        "settings-invalid",
        "the prompt is empty",
        "give at least one character with --prompt",
      );
    }
    text.push(tokenizer.endOfText);
  }
  if (options.temperature < 0 || (options.topP !== null && !(options.topP > 0 && options.topP <= 1))) {
    throw new LctxError(
      "settings-invalid",
      `temperature ${options.temperature} and top-p ${options.topP ?? "1"} cannot be used`,
      "a temperature is 0 or more, a top-p share above 0 and at most 1",
    );
  }
  const random = new RandomStream(keyOf(options.seed, "generate"));
  const decoder = tokenizer.streamDecoder();
  // Inserted tokens come by the layout, never by chance; ids beyond the tokenizer spell nothing.
  const inserted = options.layout.insert?.id ?? -1;
  const allowed = (id: number): boolean => id < tokenizer.size && id !== inserted;
  const maxLength = await model.maxLength();
  let written = 0;
  while (written < options.tokens) {
    const logits = await model.logits(fitting(options.layout, text, maxLength));
    const id = sample(logits, allowed, options, random);
    if (id === tokenizer.endOfText) break;
    text.push(id);
    written++;
    const piece = decoder.push(id);
    if (piece !== "") yield piece;
    // Lets signals and output through between tokens.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const rest = decoder.end();
  if (rest !== "") yield rest;
  return { tokens: written };
}
