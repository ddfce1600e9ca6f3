/** Rows: what a model sees of a token view: tokens, targets, documents and where they start. */
import type { TokenView } from "./token-view.ts";

/** How text lies in a row of `length` positions. */
export interface RowLayout {
  readonly length: number;
  readonly packed: boolean;
  /** Id of the token at every position p with p mod (every + 1) = every; null: none. */
  readonly insert: { readonly id: number; readonly every: number } | null;
  /** Id that is never a target; null: every id is. */
  readonly exceptToken: number | null;
  /** Positions `[from, to)` whose targets do not count. */
  readonly exceptPositions: readonly (readonly [number, number])[];
}

/** Room for rows, row-major; all of the same length. */
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

/**
 * Writes the text from `at` on as row `row` of `buffers`; past the end of the view the row is empty (no targets).
 * A position's target is the token at the next position, inserted ones included, unless it is excepted or, in packed
 * rows, of another document. Returns how many targets count.
 */
export function fillRow(
  view: TokenView,
  at: number,
  layout: RowLayout,
  buffers: RowBuffers,
  row: number,
): number {
  const { length } = layout;
  const base = row * length;
  // One position more than the row holds: the last target.
  const wanted = textTokens(layout, length + 1);
  const have = Math.max(0, Math.min(wanted, view.tokens - at));
  const text = new Int32Array(have);
  const segments = new Int32Array(have);
  if (have > 0) view.read(at, text, segments);

  let counted = 0;
  let used = 0;
  let segment = have > 0 ? segments[0]! : 0;
  let document = 0;
  let before = 0;
  let start = 0;
  for (let p = 0; p <= length; p++) {
    let id: number;
    let real = true;
    // The last target may be an inserted token behind the row's last token of text.
    if (isInserted(layout, p) && (used < have || (p === length && have === wanted))) id = layout.insert!.id;
    else if (used < have) {
      id = text[used]!;
      const next = segments[used]!;
      if (next !== segment) {
        segment = next;
        document++;
        start = p;
      }
      used++;
    } else {
      // Empty positions see nothing of the text and nothing of the text sees them.
      id = 0;
      real = false;
      if (used === have) {
        document++;
        start = p;
        used++;
      }
    }
    if (p > 0) {
      const counts =
        real &&
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
