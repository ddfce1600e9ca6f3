/** Rows that tasks made: a sample with what its layout inserts, and the targets that count. */
import type { Sample } from "../tasks/sampler.ts";
import { isInserted, layOut, textTokens } from "./rows.ts";
import type { RowBuffers, RowLayout } from "./rows.ts";

/** Tokens of a sample that fills a row of `length` positions, tokens that the layout inserts not counted. */
export const sampleTokens = (layout: Pick<RowLayout, "insert">, length: number): number =>
  textTokens(layout, length);

/** A sample as a row: tokens by position, and the position of each token of its answer. */
export function sampleRow(
  layout: Pick<RowLayout, "insert">,
  sample: Sample,
): { readonly row: readonly number[]; readonly answer: readonly number[] } {
  const row = layOut(layout, sample.tokens);
  const { answerStart } = sample;
  const answer: number[] = [];
  for (let position = 0, text = 0; position < row.length; position++) {
    if (isInserted(layout, position)) continue;
    if (answerStart !== null && text >= answerStart) answer.push(position);
    text++;
  }
  return { row, answer };
}

/**
 * Writes a sample as row `row` of `buffers`. A position's target is the token at the next one, as in rows of text; the
 * last token of a sample has none. With `answersOnly` only tokens of the answer are targets (all, where nothing is
 * asked). A sample is one document. Returns how many targets count.
 */
export function fillSample(
  sample: Sample,
  layout: RowLayout,
  answersOnly: boolean,
  buffers: RowBuffers,
  row: number,
): number {
  const { length } = layout;
  const base = row * length;
  const { row: ids, answer } = sampleRow(layout, sample);
  const asked = new Set(answer);
  const all = !answersOnly || sample.answerStart === null;
  let counted = 0;
  for (let p = 0; p < length; p++) {
    // A row that ends where a token is due to be inserted has one position more than its sample.
    buffers.tokens[base + p] = ids[p] ?? layout.insert?.id ?? 0;
    const next = p + 1 < ids.length ? ids[p + 1]! : -1;
    const counts =
      next >= 0 &&
      (all || asked.has(p + 1)) &&
      next !== layout.exceptToken &&
      !layout.exceptPositions.some(([from, to]) => p >= from && p < to);
    buffers.targets[base + p] = counts ? next : -1;
    if (counts) counted++;
    if (buffers.documents !== null) buffers.documents[base + p] = 0;
    if (buffers.starts !== null) buffers.starts[base + p] = 0;
  }
  return counted;
}
