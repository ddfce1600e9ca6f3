/** Prettier plugin: formats `.lctx` files as `lctx fmt` does. */
import type { Parser, Plugin, Printer, SupportLanguage } from "prettier";
import type { AstFile } from "./ast.ts";
import { parseFile } from "./parse.ts";
import { printFile } from "./print-ast.ts";

/** What prettier carries from parser to printer. */
interface Parsed {
  readonly file: AstFile;
  readonly text: string;
}

export const languages: readonly SupportLanguage[] = [
  { name: "lctx", parsers: ["lctx"], extensions: [".lctx"], vscodeLanguageIds: ["lctx"] },
];

/** Prettier's way to report a syntax error is to throw one with a place. */
class SyntaxErrorAt extends SyntaxError {
  constructor(
    message: string,
    readonly loc: { readonly start: { readonly line: number; readonly column: number } },
  ) {
    super(message);
  }
}

const parser: Parser<Parsed> = {
  astFormat: "lctx",
  parse(text, options) {
    const clean = text.replaceAll(/\r\n?/g, "\n");
    const { file, diagnostics } = parseFile(options.filepath ?? "spec.lctx", clean);
    const error = diagnostics.find((diagnostic) => diagnostic.severity === "error");
    if (error) {
      const before = clean.slice(0, error.primary.span.start).split("\n");
      const start = { line: before.length, column: before[before.length - 1]!.length + 1 };
      throw new SyntaxErrorAt(`${error.title} (${start.line}:${start.column})`, { start });
    }
    return { file, text: clean };
  },
  locStart: () => 0,
  locEnd: ({ text }) => text.length,
};

const printer: Printer<Parsed> = {
  print: ({ node }) => printFile(node.file, node.text),
};

export const parsers = { lctx: parser };
export const printers = { lctx: printer };

const plugin: Plugin<Parsed> = { languages: [...languages], parsers, printers };
export default plugin;
