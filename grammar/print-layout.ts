/** Lays out lists of items and clauses: their comments, blank lines, aligned signs, and blocks on one line or several. */
import type { Comment } from "./ast.ts";

/** Widest line that is kept on one line. */
export const widest = 110;

/** One item, clause or line of settings, printed. */
export interface Unit {
  readonly start: number;
  readonly end: number;
  /** Text without the indentation of its first line; later lines have theirs. */
  readonly text: string;
  /** What stands before a sign that neighbours of the same kind line up, or null: `text` is `head + gap + tail`. */
  readonly align: { readonly kind: string; readonly head: string; readonly tail: string } | null;
}

/** The text an Ast came from, with its comments; empty for a made-up Ast. */
export interface Source {
  readonly text: string;
  readonly comments: readonly Comment[];
}

/** Heads whose widths differ by more than this are not lined up. */
const alignWithin = 5;

/** Lines up the tails of neighbours without a blank line between them. */
function aligned(
  units: readonly Unit[],
  blankLine: (from: number, to: number) => boolean,
): readonly string[] {
  const texts: string[] = [];
  for (let i = 0; i < units.length;) {
    const first = units[i]!;
    let shortest = first.align?.head.length ?? 0;
    let longest = shortest;
    let end = i + 1;
    for (; end < units.length; end++) {
      const next = units[end]!;
      if (first.align === null || next.align === null || next.align.kind !== first.align.kind) break;
      if (first.text.includes("\n") || next.text.includes("\n")) break;
      if (blankLine(units[end - 1]!.end, next.start)) break;
      const width = next.align.head.length;
      if (Math.max(longest, width) - Math.min(shortest, width) > alignWithin) break;
      shortest = Math.min(shortest, width);
      longest = Math.max(longest, width);
    }
    for (; i < end; i++) {
      const { align, text } = units[i]!;
      texts.push(align === null || text.includes("\n") ? text : align.head.padEnd(longest) + align.tail);
    }
  }
  return texts;
}

export class LayoutState {
  private readonly used = new Set<Comment>();

  constructor(private readonly source: Source) {}

  breaks(from: number, to: number): boolean {
    return /[\n\r]/.test(this.source.text.slice(from, to));
  }

  /** Whether a line break stands between the `=` after `from` and `to`. */
  breaksAfterSign(from: number, to: number): boolean {
    return this.breaks(from + this.source.text.slice(from, to).lastIndexOf("=") + 1, to);
  }

  private blankLine(from: number, to: number): boolean {
    return /\n[ \t\r\f]*\n/.test(this.source.text.slice(from, to));
  }

  hasComments(from: number, to: number): boolean {
    return this.source.comments.some((comment) => comment.span.start >= from && comment.span.end <= to);
  }

  private take(from: number, to: number): readonly Comment[] {
    const found = this.source.comments.filter(
      (comment) => comment.span.start >= from && comment.span.start < to && !this.used.has(comment),
    );
    for (const comment of found) this.used.add(comment);
    return found;
  }

  /**
   * The lines of a list of units between two offsets, with the comments there and single blank lines kept. A comment
   * inside a unit goes before it: there is no place for it within a line. `apart` says which neighbours need a blank line.
   */
  lines(
    units: readonly Unit[],
    from: number,
    to: number,
    indent: number,
    apart: (before: Unit, after: Unit) => boolean = () => false,
  ): string {
    const margin = " ".repeat(indent);
    const texts = aligned(units, (a, b) => this.blankLine(a, b));
    const rows: { text: string; comment: string | null; blank: boolean }[] = [];
    let last = from;
    const put = (text: string, start: number, end: number): void => {
      rows.push({ text, comment: null, blank: rows.length > 0 && this.blankLine(last, start) });
      last = end;
    };
    units.forEach((unit, index) => {
      const limit = units[index + 1]?.start ?? to;
      const leading = this.take(last, unit.end);
      const before = units[index - 1];
      const separate = before !== undefined && apart(before, unit);
      const at = rows.length;
      for (const comment of leading)
        put(this.textOf(comment), comment.span.start, Math.min(comment.span.end, Math.max(unit.start, last)));
      put(texts[index]!, unit.start, unit.end);
      if (separate) rows[at] = { ...rows[at]!, blank: true };
      const after = this.source.comments.find(
        (comment) =>
          comment.span.start >= unit.end &&
          comment.span.start < limit &&
          !this.breaks(unit.end, comment.span.start),
      );
      if (after !== undefined && !this.used.has(after)) {
        this.used.add(after);
        rows[rows.length - 1] = { ...rows[rows.length - 1]!, comment: this.textOf(after) };
        last = after.span.end;
      }
    });
    for (const comment of this.take(last, to))
      put(this.textOf(comment), comment.span.start, comment.span.end);
    return this.withTrailing(rows, margin);
  }

  private textOf(comment: Comment): string {
    return this.source.text.slice(comment.span.start, comment.span.end).trimEnd();
  }

  /** Puts comments at the end of lines, lined up with those of the neighbouring lines. */
  private withTrailing(
    rows: readonly { readonly text: string; readonly comment: string | null; readonly blank: boolean }[],
    margin: string,
  ): string {
    const lastLine = (text: string): number => {
      const lineBreak = text.lastIndexOf("\n");
      return lineBreak === -1 ? margin.length + text.length : text.length - lineBreak - 1;
    };
    let text = "";
    for (let i = 0; i < rows.length;) {
      let end = i;
      while (end < rows.length && rows[end]!.comment !== null && (end === i || !rows[end]!.blank)) end++;
      const column = Math.max(0, ...rows.slice(i, end).map((row) => lastLine(row.text)));
      end = Math.max(end, i + 1);
      for (; i < end; i++) {
        const row = rows[i]!;
        const gap = row.comment === null ? "" : " ".repeat(column - lastLine(row.text) + 2) + row.comment;
        text += `${row.blank ? "\n" : ""}${row.text === "" ? "" : margin}${row.text}${gap}\n`;
      }
    }
    return text;
  }

  /** `head { … }`: on one line when it was, fits and holds no comment; `units` is asked with the inner indentation. */
  block(options: {
    readonly head: string;
    readonly from: number;
    readonly to: number;
    readonly indent: number;
    /** What stands between the units of a block on one line; null when more than one unit needs lines. */
    readonly separator: string | null;
    readonly units: (indent: number) => readonly Unit[];
  }): string {
    const { head, from, to, indent, separator } = options;
    const comments = this.hasComments(from, to);
    const units = options.units(indent + 2);
    if (units.length === 0 && !comments) return `${head} {}`;
    if (!comments && !this.breaks(from, to) && (units.length <= 1 || separator !== null)) {
      const line = `${head} { ${units.map((unit) => unit.text).join(separator ?? "")} }`;
      if (!line.includes("\n") && indent + line.length <= widest) return line;
    }
    return `${head} {\n${this.lines(units, from, to, indent + 2)}${" ".repeat(indent)}}`;
  }
}
