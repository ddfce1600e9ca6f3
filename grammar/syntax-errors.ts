/** Words for what the lexer and parser could not read: what was met, what would fit, and how to say it here. */
import type { ILexingError, IRecognitionException, IToken } from "chevrotain";
import type { Diagnostic } from "../compiler/diagnostics/diagnostic.ts";
import { messages } from "../compiler/diagnostics/messages.gen.ts";
import { suggest } from "../compiler/diagnostics/suggest.ts";
import type { Span } from "../compiler/source/span.ts";

/** Symbols of other languages and what to write here. */
const foreignSymbols: Readonly<Record<string, string>> = {
  "&": "`and`",
  "|": "`or`",
  "!": "`not`",
  "#": "`//` for a comment",
  ";": "nothing: clauses need no separator",
  "'": 'double quotes, `"text"`',
  "≥": "`>=`",
  "≤": "`<=`",
  "≠": "`!=`",
  "×": "`*`",
  "−": "`-`",
  "@": "`sum[d] a * b` for a product of matrices",
  "?": "`if a then b else c`",
};

/** Words of other languages that start something there. */
const foreignWords: ReadonlyMap<string, string> = new Map([
  ["def", "`let name(x) = …`"],
  ["fn", "`let name(x) = …`"],
  ["func", "`let name(x) = …`"],
  ["function", "`let name(x) = …`"],
  ["lambda", "`let name(x) = …`"],
  ["var", "`let`"],
  ["const", "`let`"],
  ["class", "`module`"],
  ["return", "`output`"],
  ["for", "a table, `let name[k] = …`, or a reduction, `sum[k] …`"],
  ["while", "a reduction, `sum[k] …`"],
  ["elif", "`else if`"],
  ["is", "`==`"],
  ["params", "`param`"],
  ["extends", "`=`"],
]);

const closing: Readonly<Record<string, string>> = { "{": "}", "[": "]", "(": ")" };

const attentionWords = [
  "blocks", "diagonals", "param", "let", "mask", "ahead", "score", "weight", "rotate", "select", "teach", "when",
  "otherwise",
]; // prettier-ignore
const trainWords = [
  "data", "loss", "optimizer", "schedule", "batch", "precision", "recompute", "seed", "clip", "train", "stage",
]; // prettier-ignore

/** What may start in the braces that a rule reads, and what that is called. */
const places: ReadonlyMap<string, { readonly what: string; readonly words: readonly string[] }> = new Map([
  ["attentionItem", { what: "an attention", words: attentionWords }],
  ["phaseClause", { what: "a phase", words: attentionWords }],
  ["moduleItem", { what: "a module", words: ["input", "param", "child", "repeat", "let", "site", "output"] }],
  ["adapterItem", { what: "an adapter", words: ["param", "let", "input", "output", "prepend"] }],
  ["optimizerItem", { what: "an optimizer", words: ["let", "state", "update"] }],
  ["rotationItem", { what: "a rotation", words: ["let", "angle", "scale", "layout", "rotated"] }],
  ["trainItem", { what: "a recipe", words: trainWords }],
  ["stageClause", { what: "a stage", words: trainWords }],
  ["evaluateItem", { what: "an evaluation", words: ["task", "metric", "samples", "seed"] }],
  ["taskItem", { what: "a task", words: ["let", "start", "filler", "insert", "ask", "answer"] }],
  ["dataMix", { what: "a mix", words: ["tokens", "task"] }],
  [
    "file",
    {
      what: "a file",
      words: [
        "import", "mask", "score", "let", "rotation", "attention", "module", "adapter", "optimizer", "task",
        "pretrained", "model", "adapt", "train", "evaluate",
      ], // prettier-ignore
    },
  ],
]);

const reserved: ReadonlySet<string> = new Set(["and", "else", "if", "not", "or", "then"]);

const orList = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;

/** `token` as people read it. */
const describe = (token: IToken): string =>
  token.image === "" ? "the end of the file" : `\`${token.image}\``;

/** What a recognition exception says was expected, in the language's words. */
function expected(error: IRecognitionException): string {
  const before = error.message.split(/\s*but found/)[0]!;
  const labels = [...before.matchAll(/--> (.+?) <--|\[([^\]]+)\]/g)]
    .map((found) => (found[1] ?? found[2] ?? "").split(", ")[0]!.trim())
    .filter((label) => label !== "");
  const unique = [...new Set(labels)];
  if (unique.length === 0 || unique[0] === "EOF") return "the end of the file";
  if (unique.includes("a name") && unique.includes("a number")) return "an expression";
  return unique.length > 6 ? "a clause or `}`" : orList(unique);
}

/** The brackets that are open at a token's place, outermost first. */
function openBrackets(tokens: readonly IToken[], before: number): readonly IToken[] {
  const stack: IToken[] = [];
  for (const token of tokens) {
    if (token.startOffset >= before) break;
    if (closing[token.image]) stack.push(token);
    else if (/^[)\]}]$/.test(token.image)) stack.pop();
  }
  return stack;
}

function lexing(error: ILexingError, text: string, file: string): Diagnostic {
  const start = Math.min(error.offset, text.length);
  const end = Math.min(text.length, start + Math.max(1, error.length));
  const span = { file, start, end };
  const met = text.slice(start, end);
  if (met.startsWith('"')) return messages.textNotClosed(span);
  const instead = Object.hasOwn(foreignSymbols, met[0] ?? "") ? foreignSymbols[met[0]!] : undefined;
  if (instead !== undefined) return messages.foreignSymbol({ symbol: met, instead }, span);
  return messages.unknownCharacter({ character: met }, span);
}

function parsing(
  error: IRecognitionException,
  file: string,
  tokens: readonly IToken[],
  indexOf: ReadonlyMap<number, number>,
): Diagnostic {
  const { token } = error;
  const atEnd = Number.isNaN(token.startOffset) || token.image === "";
  const last = tokens.at(-1);
  const start = atEnd ? (last ? last.startOffset + last.image.length : 0) : token.startOffset;
  const spanOf = (of: IToken): Span => ({
    file,
    start: of.startOffset,
    end: of.startOffset + of.image.length,
  });
  const span = { file, start, end: atEnd ? start : start + token.image.length };
  const index = atEnd ? tokens.length : (indexOf.get(start) ?? tokens.length);
  const previous = tokens[index - 1];
  const open = openBrackets(tokens, start);
  const innermost = open.at(-1);
  if (atEnd && innermost !== undefined)
    return messages.notClosed({ open: innermost.image, close: closing[innermost.image]! }, span, {
      secondary: [{ span: spanOf(innermost), label: "opened here" }],
    });
  for (const word of [token, previous]) {
    const instead = word === undefined ? undefined : foreignWords.get(word.image);
    if (word !== undefined && instead !== undefined && word.tokenType.name === "Identifier")
      return messages.foreignWord({ word: word.image, instead }, spanOf(word));
  }
  if (token.image === "*" && previous?.image === "*" && previous.startOffset === start - 1)
    return messages.foreignSymbol(
      { symbol: "**", instead: "`^`" },
      { file, start: start - 1, end: start + 1 },
    );
  if (/^[)\]}]$/.test(token.image) && (innermost === undefined || closing[innermost.image] !== token.image)) {
    // A bracket that fits one further out leaves the innermost open; one that fits none is too many.
    if (innermost !== undefined && open.some((bracket) => closing[bracket.image] === token.image))
      return messages.notClosed({ open: innermost.image, close: closing[innermost.image]! }, span, {
        secondary: [{ span: spanOf(innermost), label: "opened here" }],
      });
    return messages.strayBracket({ bracket: token.image }, span);
  }
  const rule = error.context.ruleStack.at(-1) ?? "file";
  const wanted = expected(error);
  if (token.image === "==" && wanted === "`=`")
    return messages.oneEqualsSign(span, { fix: { span, text: "=" } });
  if (token.image === "=" && previous?.image !== "=") {
    const named = previous?.tokenType.name === "Identifier" && /^[(,]$/.test(tokens[index - 2]?.image ?? "");
    if (innermost?.image === "(" && named)
      return messages.argumentSign({ name: previous.image }, span, { fix: { span, text: ":" } });
    if (innermost?.image === "{" && (rule === "settings" || wanted === "an expression"))
      return messages.settingSign(span, { fix: { span, text: "" } });
    // `blocks c = 4`: another word has its place here.
    if (/^`[a-z]+`$/.test(wanted)) return messages.unexpected({ met: "`=`", expected: wanted }, span);
    return messages.equalsSign(span, { fix: { span, text: "==" } });
  }
  if (token.image === "," && innermost?.image !== "(" && innermost?.image !== "[")
    return messages.separator({ sign: token.image }, span, { fix: { span, text: "" } });
  // `sum[k in 0..q] …`, as other languages write it.
  const ranges = previous?.image === "in" || (token.image === "." && tokens[index - 2]?.image === "in");
  if (rule === "reduction" && ranges) {
    const help = "after `in` stands a block; a range is a condition: `sum[k if k <= q] …`";
    return messages.unexpected({ met: describe(token), expected: wanted }, span, { help });
  }
  if (reserved.has(token.image) && wanted === "a name")
    return messages.reservedWord({ word: token.image }, span);
  // A word that starts a clause is read as a name after a sign: `mask a = q >= k and` and then `mask b`.
  const sign = tokens[index - 2]?.image ?? "";
  const startsClause =
    previous !== undefined && [...places.values()].some(({ words }) => words.includes(previous.image));
  if (startsClause && (/^(?:and|or|not|in|by|top)$/.test(sign) || /^[-+*/%^<>=!]=?$/.test(sign)))
    return messages.expressionMissing({ met: describe(previous) }, spanOf(previous));
  const place = places.get(rule);
  if (
    place !== undefined &&
    (wanted === "`}`" || wanted === "the end of the file") &&
    /^[A-Za-z_]/.test(token.image)
  ) {
    const meant = suggest(
      token.image,
      place.words.map((name) => ({ name, kind: "word" })),
    );
    return messages.clauseUnknown(
      { word: token.image, place: place.what, words: orList(place.words) },
      span,
      {
        ...(meant === null ? {} : { help: `did you mean \`${meant}\`?`, fix: { span, text: meant } }),
      },
    );
  }
  if (wanted === "an expression") return messages.expressionMissing({ met: describe(token) }, span);
  return messages.unexpected({ met: describe(token), expected: wanted }, span);
}

/**
 * The diagnostics of a file's lexing and recognition errors, in order of place. One line gets one error of the parser, and
 * none right after something the lexer could not read: what follows a slip is seldom worth telling.
 */
export function syntaxDiagnostics(
  lexingErrors: readonly ILexingError[],
  parsingErrors: readonly IRecognitionException[],
  text: string,
  file: string,
  tokens: readonly IToken[],
): readonly Diagnostic[] {
  const found = lexingErrors.map((error) => lexing(error, text, file));
  const lineOf = (offset: number): number => text.lastIndexOf("\n", offset - 1);
  const told = new Set(found.map((diagnostic) => lineOf(diagnostic.primary.span.start)));
  const indexOf = new Map(tokens.map((token, index) => [token.startOffset, index]));
  // A broken file may hold very many slips; the first hundred are more than is shown.
  for (const error of parsingErrors.slice(0, 100)) {
    const diagnostic = parsing(error, file, tokens, indexOf);
    const line = lineOf(diagnostic.primary.span.start);
    if (told.has(line)) continue;
    told.add(line);
    found.push(diagnostic);
  }
  return found.sort((a, b) => a.primary.span.start - b.primary.span.start);
}
