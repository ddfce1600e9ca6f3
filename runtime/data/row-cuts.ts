/** RowCuts: where the rows of a view begin and how many positions they have. */
import { rowLength, textTokens } from "./rows.ts";
import type { RowLayout } from "./rows.ts";
import type { TokenView } from "./token-view.ts";

/** A row: its first token of text in the view, and its positions. */
export interface Place {
  readonly at: number;
  readonly length: number;
}

export interface RowCuts {
  /** Rows that cover the text: each of its tokens but those that nothing comes before is a target once. */
  readonly rows: number;
  /** Row `row` of them. Throws a RangeError for a row that there is not. */
  place(row: number): Place;
  /** Share of the rows that have each length. */
  lengths(): ReadonlyMap<number, number>;
}

const check = (row: number, rows: number): void => {
  if (!(row >= 0 && row < rows)) throw new RangeError(`there is no row ${row} among ${rows}`);
};

/** One row after another, whatever documents they hold; the last is as long as what is left. */
export class TextCuts implements RowCuts {
  readonly rows: number;
  readonly #tokens: number;
  readonly #layout: RowLayout;
  readonly #step: number;

  constructor(tokens: number, layout: RowLayout) {
    this.#tokens = tokens;
    this.#layout = layout;
    this.#step = textTokens(layout, layout.length);
    this.rows = Math.max(0, Math.ceil((tokens - 1) / this.#step));
  }

  place(row: number): Place {
    check(row, this.rows);
    const at = row * this.#step;
    return { at, length: rowLength(this.#layout, this.#tokens - at) };
  }

  lengths(): ReadonlyMap<number, number> {
    // Training begins each pass at another token and takes whole rows alone.
    return new Map([[this.#layout.length, 1]]);
  }
}

/** Each document in rows of its own: whole ones, and one as long as what is left of it. */
export class DocumentCuts implements RowCuts {
  readonly #view: TokenView;
  readonly #layout: RowLayout;
  readonly #step: number;
  /** Rows before each document; one more entry than documents. */
  readonly #before: Float64Array;

  constructor(view: TokenView, layout: RowLayout) {
    this.#view = view;
    this.#layout = layout;
    this.#step = textTokens(layout, layout.length);
    this.#before = new Float64Array(view.documents + 1);
    for (let n = 0; n < view.documents; n++) this.#before[n + 1] = this.#before[n]! + this.#rowsOf(n);
  }

  get rows(): number {
    return this.#before[this.#view.documents]!;
  }

  #rowsOf(document: number): number {
    const tokens = this.#view.startOf(document + 1) - this.#view.startOf(document);
    return Math.ceil((tokens - 1) / this.#step);
  }

  place(row: number): Place {
    check(row, this.rows);
    let low = 0;
    let high = this.#view.documents - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#before[middle]! <= row) low = middle;
      else high = middle - 1;
    }
    const at = this.#view.startOf(low) + (row - this.#before[low]!) * this.#step;
    return { at, length: rowLength(this.#layout, this.#view.startOf(low + 1) - at) };
  }

  lengths(): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    const add = (length: number, count: number): void => {
      if (count > 0) counts.set(length, (counts.get(length) ?? 0) + count);
    };
    for (let n = 0; n < this.#view.documents; n++) {
      const rows = this.#rowsOf(n);
      if (rows === 0) continue;
      add(this.#layout.length, rows - 1);
      const tokens = this.#view.startOf(n + 1) - this.#view.startOf(n);
      add(rowLength(this.#layout, tokens - (rows - 1) * this.#step), 1);
    }
    return new Map([...counts].map(([length, count]) => [length, count / this.rows]));
  }
}

/** The rows that a layout makes of a view. */
export const cutRows = (view: TokenView, layout: RowLayout): RowCuts =>
  layout.cut ? new DocumentCuts(view, layout) : new TextCuts(view.tokens, layout);
