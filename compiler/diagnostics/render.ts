/** Prints a diagnostic for a terminal: title, the code it points at, drawing, help. */
import pc from "picocolors";
import { SourceFile } from "../source/source-file.ts";
import type { Diagnostic, Label, Severity } from "./diagnostic.ts";
import { visible } from "./build-diagnostic.ts";

export interface RenderOptions {
  /** Whether to use terminal colours. */
  readonly color: boolean;
  /** Sources of other files that secondary labels point into. */
  readonly sources?: ReadonlyMap<string, SourceFile>;
}

/** Widest source line printed whole; longer ones are cut around the mark. */
const widest = 120;

interface Mark {
  readonly line: number;
  /** Columns in UTF-16 units, 1-based, end exclusive. */
  readonly from: number;
  readonly to: number;
  readonly label: string;
  readonly sign: "^" | "-" | "";
}

function markOf(source: SourceFile, { span, label, sign }: Label, usual: "^" | "-"): Mark {
  const start = source.position(span.start);
  const end = source.position(Math.max(span.end, span.start));
  const lineEnd = source.line(start.line).length + 1;
  // A span over several lines is marked to the end of its first.
  const to = end.line === start.line ? end.column : lineEnd;
  return {
    line: start.line,
    from: Math.min(start.column, lineEnd),
    to: Math.max(to, Math.min(start.column, lineEnd) + 1),
    label,
    sign: sign ?? usual,
  };
}

/** A piece of a source line as printed; tabs become two spaces, control characters are spelled out. */
const printed = (text: string): string => visible(text.replaceAll("\t", "  "));

/** Terminal cells of printed text; counts code points, and two cells for wide East Asian ones. */
function cells(text: string): number {
  let count = 0;
  for (const character of text)
    count +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : /\p{Mark}/u.test(character)
          ? 0
          : 1;
  return count;
}

function frame(source: SourceFile, marks: readonly Mark[], gutter: number, colors: Colors): string[] {
  const bar = (number: string): string => colors.blue(`${number.padStart(gutter)} │`);
  const lines: string[] = [];
  const numbers = [...new Set(marks.map((mark) => mark.line))].sort((a, b) => a - b);
  let last = 0;
  for (const number of numbers) {
    if (last > 0 && number === last + 2)
      lines.push(`${bar(String(last + 1))} ${printed(source.line(last + 1))}`);
    const text = source.line(number);
    const here = marks.filter((mark) => mark.line === number);
    const signed = here.filter((mark) => mark.sign !== "");
    const first = Math.min(...here.map((mark) => mark.from));
    const cut = text.length > widest ? Math.max(0, first - 1 - widest / 3) : 0;
    const end = Math.min(text.length, cut + widest);
    const before = cut > 0 ? "…" : "";
    const after = end < text.length ? "…" : "";
    lines.push(`${bar(String(number))} ${before}${printed(text.slice(cut, end))}${after}`);
    const carets = (mark: Mark): number => Number(mark.sign === "^");
    for (const mark of signed.sort((a, b) => carets(b) - carets(a) || a.from - b.from)) {
      const pad = cells(before + printed(text.slice(cut, Math.max(cut, mark.from - 1))));
      const width = Math.max(
        1,
        cells(printed(text.slice(Math.max(cut, mark.from - 1), Math.min(mark.to - 1, end)))),
      );
      const note = `${mark.sign.repeat(width)}${mark.label === "" ? "" : ` ${mark.label}`}`;
      lines.push(`${bar("")} ${" ".repeat(pad)}${mark.sign === "^" ? colors.red(note) : colors.blue(note)}`);
    }
    last = number;
  }
  return lines;
}

type Colors = ReturnType<typeof pc.createColors>;

/** A diagnostic as text without a trailing line break; `source` is the file of the primary label. */
export function render(diagnostic: Diagnostic, source: SourceFile, options: RenderOptions): string {
  const colors = pc.createColors(options.color);
  const paint: { [S in Severity]: (text: string) => string } = {
    error: colors.red,
    warning: colors.yellow,
    remark: colors.cyan,
  };
  const { primary } = diagnostic;
  const marks = [markOf(source, primary, "^")];
  const elsewhere = new Map<SourceFile, Mark[]>();
  for (const label of diagnostic.secondary) {
    if (label.span.file === primary.span.file) marks.push(markOf(source, label, "-"));
    else {
      const other = options.sources?.get(label.span.file);
      if (other) elsewhere.set(other, [...(elsewhere.get(other) ?? []), markOf(other, label, "-")]);
    }
  }
  const largest = Math.max(...[...marks, ...[...elsewhere.values()].flat()].map((mark) => mark.line));
  const gutter = String(largest).length;
  const edge = colors.blue(`${" ".repeat(gutter)} │`);
  const at = source.position(primary.span.start);
  const corner = (path: string, place: string): string =>
    `${colors.blue(`${" ".repeat(gutter)} ┌─`)} ${visible(path)}${place}`;
  const lines = [
    `${paint[diagnostic.severity](colors.bold(`${diagnostic.severity}[${diagnostic.code}]`))}${colors.bold(`: ${diagnostic.title}`)}`,
    corner(source.path, `:${at.line}:${at.column}`),
    edge,
    ...frame(source, marks, gutter, colors),
  ];
  for (const [other, there] of elsewhere)
    lines.push(
      corner(other.path, `:${there[0]!.line}:${there[0]!.from}`),
      edge,
      ...frame(other, there, gutter, colors),
    );
  if (diagnostic.drawing !== null)
    lines.push(edge, ...diagnostic.drawing.split("\n").map((line) => `${edge} ${line}`));
  if (diagnostic.help !== null) {
    const [first, ...rest] = diagnostic.help.split("\n");
    const available = diagnostic.fix === null ? "" : colors.dim("  [fix available]");
    lines.push(
      edge,
      `${colors.cyan(colors.bold("help"))}: ${first}${available}`,
      ...rest.map((line) => `      ${line}`),
    );
  }
  return lines.join("\n");
}
