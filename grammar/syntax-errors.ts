/** Words for what the lexer and parser could not read: what was met, what would fit, and how to say it here. */
import type { ILexingError, IRecognitionException, IToken } from "chevrotain";
import type { Diagnostic } from "../compiler/diagnostics/diagnostic.ts";
import { messages } from "../compiler/diagnostics/messages.gen.ts";

/** Symbols of other languages and what to write here. */
const foreign: Readonly<Record<string, string>> = {
  "&": "`and`",
  "|": "`or`",
  "!": "`not`",
  "#": "`//` for a comment",
  ";": "nothing: clauses need no separator",
  "'": 'double quotes, `"text"`',
};

/** Words of other languages, at a place where no clause or item starts with them. */
const foreignWords: Readonly<Record<string, string>> = {
  def: "`let name(x) = …`",
  fn: "`let name(x) = …`",
  function: "`let name(x) = …`",
  lambda: "`let name(x) = …`",
  var: "`let`",
  const: "`let`",
  class: "`module`",
  return: "`output`",
  for: "a table, `let name[k] = …`, or a reduction, `sum[k] …`",
  while: "a reduction, `sum[k] …`",
  elif: "`else if`",
};

const closing: Readonly<Record<string, string>> = { "{": "}", "[": "]", "(": ")" };

/** The innermost bracket that is open at a token's place. */
function innermostOpen(tokens: readonly IToken[], before: number): IToken | null {
  const stack: IToken[] = [];
  for (const token of tokens) {
    if (token.startOffset >= before) break;
    if (closing[token.image]) stack.push(token);
    else if (/^[)\]}]$/.test(token.image)) stack.pop();
  }
  return stack.at(-1) ?? null;
}

/** `token` as people read it. */
const describe = (token: IToken): string =>
  token.image === "" ? "the end of the file" : `\`${token.image}\``;

/** What a recognition exception says was expected, in the language's words. */
function expected(error: IRecognitionException): string {
  const match =
    /expect(?:ing|ed):? (?:token of type |one of these possible Token sequences:)?\s*([\s\S]*)/i.exec(
      error.message,
    );
  const labels = [...(match?.[1] ?? "").matchAll(/--> (.+?) <--|\[([^\]]+)\]/g)]
    .map((found) => (found[1] ?? found[2] ?? "").split(", ")[0]!.trim())
    .filter((label) => label !== "");
  const unique = [...new Set(labels)];
  if (unique.length === 0) return "something else";
  if (unique.length > 6)
    return unique.some((label) => label === "a name") ? "an expression" : "a clause or `}`";
  return unique.join(" or ");
}

export const syntaxError = {
  lexing(error: ILexingError, text: string, file: string): Diagnostic {
    const start = Math.min(error.offset, text.length);
    const end = Math.min(text.length, start + Math.max(1, error.length));
    const span = { file, start, end };
    const met = text.slice(start, end);
    if (met.startsWith('"')) return messages.textNotClosed(span);
    const instead = foreign[met[0] ?? ""];
    if (instead !== undefined) return messages.foreignSymbol({ symbol: met, instead }, span);
    return messages.unknownCharacter({ character: met }, span);
  },

  parsing(error: IRecognitionException, text: string, file: string, tokens: readonly IToken[]): Diagnostic {
    const { token } = error;
    const atEnd = Number.isNaN(token.startOffset) || token.image === "";
    const last = tokens.at(-1);
    const start = atEnd ? (last ? last.startOffset + last.image.length : 0) : token.startOffset;
    const span = { file, start, end: atEnd ? start : start + token.image.length };
    const open = innermostOpen(tokens, start);
    if (atEnd && open !== null) {
      const opener = { file, start: open.startOffset, end: open.startOffset + open.image.length };
      return messages.notClosed({ open: open.image, close: closing[open.image]! }, span, {
        secondary: [{ span: opener, label: "opened here" }],
      });
    }
    const word = foreignWords[token.image];
    if (word !== undefined) return messages.foreignWord({ word: token.image, instead: word }, span);
    if (token.image === "=" && text[start - 1] !== "=") return messages.equalsSign(span);
    if (/^[)\]}]$/.test(token.image) && (open === null || closing[open.image] !== token.image))
      return messages.strayBracket({ bracket: token.image }, span);
    return messages.unexpected({ met: describe(token), expected: expected(error) }, span);
  },
};
