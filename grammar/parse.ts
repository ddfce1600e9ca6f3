/** Reads a `.lctx` file: text to tokens to Ast, with every mistake as a diagnostic; never throws. */
import type { ILexingError, IRecognitionException, Lexer } from "chevrotain";
import type { Diagnostic } from "../compiler/diagnostics/diagnostic.ts";
import { messages } from "../compiler/diagnostics/messages.gen.ts";
import { syntaxDiagnostics } from "./syntax-errors.ts";
import type { AstFile, Comment, Item } from "./ast.ts";
import { limits } from "./limits.ts";
import { NestingTooDeep } from "./parser-base.ts";
import { LctxParser } from "./parser.ts";
import { makeLexer } from "./tokens.ts";

export interface ParseResult {
  readonly file: AstFile;
  readonly diagnostics: readonly Diagnostic[];
}

// Built once, when first needed: the tables of a chevrotain parser cost more than reading a file.
let shared: { readonly lexer: Lexer; readonly parser: LctxParser } | null = null;

/** Documentation of each item: the `///` lines between the item before it and its start. Both lists are in order. */
function withDocs(items: readonly Item[], comments: readonly Comment[]): readonly Item[] {
  let next = 0;
  let after = 0;
  return items.map((item): Item => {
    const lines: string[] = [];
    for (; next < comments.length && comments[next]!.span.end <= item.span.start; next++) {
      const { doc, span, text } = comments[next]!;
      if (doc && span.start >= after) lines.push(text.slice(3).replace(/^ /, "").trimEnd());
    }
    after = item.span.end;
    return lines.length === 0 ? item : { ...item, docs: lines.join("\n") };
  });
}

export function parseFile(path: string, text: string): ParseResult {
  const span = (start: number, end: number) => ({ file: path, start, end });
  const diagnostics: Diagnostic[] = [];
  const empty = (): AstFile => ({ kind: "file", path, items: [], comments: [], span: span(0, text.length) });
  const refuse = (diagnostic: Diagnostic): ParseResult => ({ file: empty(), diagnostics: [diagnostic] });
  if (Buffer.byteLength(text) > limits.fileBytes)
    return refuse(messages.fileTooLarge({ most: limits.fileBytes }, span(0, 0)));
  // Bytes that are not UTF-8 are read as U+FFFD; going on would report each one and format them away.
  const broken = text.indexOf("\ufffd");
  if (broken !== -1) return refuse(messages.fileNotText(span(broken, broken + 1)));

  shared ??= { lexer: makeLexer(), parser: new LctxParser() };
  const { lexer, parser } = shared;
  const lexed = lexer.tokenize(text);
  if (lexed.tokens.length > limits.tokens)
    return refuse(messages.tooManyTokens({ most: limits.tokens }, span(0, 0)));
  const comments = (lexed.groups["comments"] ?? []).map((token): Comment => ({
    text: token.image,
    doc: token.image.startsWith("///"),
    span: span(token.startOffset, token.startOffset + token.image.length),
  }));

  parser.path = path;
  parser.input = lexed.tokens;
  let bare: readonly Item[] = [];
  try {
    parser.depth = 0;
    bare = parser.file() ?? [];
  } catch (error) {
    if (!(error instanceof NestingTooDeep)) throw error;
    const { startOffset, image } = error.token;
    const start = Number.isNaN(startOffset) ? text.length : startOffset;
    diagnostics.push(messages.nestingTooDeep({ most: limits.nesting }, span(start, start + image.length)));
  } finally {
    const slips = parser.errors as IRecognitionException[];
    diagnostics.push(...syntaxDiagnostics(lexed.errors as ILexingError[], slips, text, path, lexed.tokens));
    parser.input = [];
  }
  const items = withDocs(bare, comments);
  for (const token of lexed.tokens)
    if (/^[A-Za-z_]/.test(token.image) && token.image.length > limits.identifier) {
      diagnostics.push(
        messages.nameTooLong(
          { most: limits.identifier },
          span(token.startOffset, token.startOffset + token.image.length),
        ),
      );
    }
  return { file: { kind: "file", path, items, comments, span: span(0, text.length) }, diagnostics };
}
