/** Rows: what a model sees of a token view: tokens, targets, documents and where they start. */
import type { TokenView } from "./token-view.ts";

/** How text lies in rows. */
export interface RowLayout {
  /** Positions of a row, at most. */
  readonly length: number;
  readonly packed: boolean;
  /** True: no row goes on after the end of its document. */
  readonly cut: boolean;
  /** Id of the token at every position p with p mod (every + 1) = every; null: none. */
  readonly insert: { readonly id: number; readonly every: number } | null;
  /** Id that is never a target; null: every id is. */
  readonly exceptToken: number | null;
  /** Positions `[from, to)` whose targets do not count. */
  readonly exceptPositions: readonly (readonly [number, number])[];
}

/** Room for rows of one length, row-major. */
export interface RowBuffers {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
  /** Null when the model reads none. */
  readonly documents: Int32Array | null;
  readonly starts: Int32Array | null;
}

/** True where the layout puts the inserted token. */
export function isInserted(layout: Pick<RowLayout, "insert">, position: number): boolean {
  return layout.insert !== null && position % (layout.insert.every + 1) === layout.insert.every;
}

/** Tokens of text in the first `positions` positions of a row. */
export function textTokens(layout: Pick<RowLayout, "insert">, positions: number): number {
  return layout.insert === null ? positions : positions - Math.floor(positions / (layout.insert.every + 1));
}

/** The row of `text` with inserted tokens, for as many positions as it fills. */
export function layOut(layout: Pick<RowLayout, "insert">, text: readonly number[]): number[] {
  const row: number[] = [];
  for (const id of text) {
    if (isInserted(layout, row.length)) row.push(layout.insert!.id);
    row.push(id);
  }
  return row;
}

/** Positions of a row that may take `tokens` tokens of text and the layout's inserted ones: each has a next token. */
export function rowLength(layout: Pick<RowLayout, "insert" | "length">, tokens: number): number {
  if (tokens >= textTokens(layout, layout.length + 1)) return layout.length;
  const { insert } = layout;
  return Math.max(0, tokens - 1 + (insert === null ? 0 : Math.floor((tokens - 1) / insert.every)));
}

/**
 * Writes the text from `at` on as row `row` of `buffers`, whose rows have `length` positions; the view must hold that
 * many and one more. A position's target is the token at the next position, inserted ones included, unless it is excepted
 * or, in packed rows, of another document. Returns how many targets count.
 */
export function fillRow(
  view: TokenView,
  at: number,
  layout: RowLayout,
  length: number,
  buffers: RowBuffers,
  row: number,
): number {
  const base = row * length;
  // One position more than the row holds: the last target.
  const wanted = textTokens(layout, length + 1);
  const text = new Int32Array(wanted);
  const segments = new Int32Array(wanted);
  view.read(at, text, segments);

  let counted = 0;
  let used = 0;
  let segment = segments[0]!;
  let document = 0;
  let before = 0;
  let start = 0;
  for (let p = 0; p <= length; p++) {
    let id: number;
    // The last target may be an inserted token behind the row's last token of text.
    if (isInserted(layout, p)) id = layout.insert!.id;
    else {
      id = text[used]!;
      const next = segments[used]!;
      if (next !== segment) {
        segment = next;
        document++;
        start = p;
      }
      used++;
    }
    if (p > 0) {
      const counts =
        (!layout.packed || document === before) &&
        id !== layout.exceptToken &&
        !layout.exceptPositions.some(([from, to]) => p - 1 >= from && p - 1 < to);
      buffers.targets[base + p - 1] = counts ? id : -1;
      if (counts) counted++;
    }
    if (p < length) {
      buffers.tokens[base + p] = id;
      if (buffers.documents !== null) buffers.documents[base + p] = layout.packed ? document : 0;
      if (buffers.starts !== null) buffers.starts[base + p] = layout.packed ? start : 0;
    }
    before = document;
  }
  return counted;
}
