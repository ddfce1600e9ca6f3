/** Every token of the language, in lexing order. */
import { createToken, Lexer, type TokenType } from "chevrotain";

/** Words are one category: most keywords are free to use as names where no clause or operator can stand. */
export const Word = createToken({ name: "Word", pattern: Lexer.NA });

/** Words that may name things: all but the few that hold expressions together. */
export const Name = createToken({ name: "Name", pattern: Lexer.NA, categories: [Word], label: "a name" });

export const Identifier = createToken({
  name: "Identifier",
  pattern: /[A-Za-z_][A-Za-z0-9_]*/,
  categories: [Name],
  label: "a name",
});

/** Never names. */
const reserved: ReadonlySet<string> = new Set(["and", "else", "if", "not", "or", "then"]);

const keyword = (text: string): TokenType =>
  createToken({
    name:
      text[0]!.toUpperCase() + text.slice(1).replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    pattern: text,
    longer_alt: Identifier,
    categories: [reserved.has(text) ? Word : Name],
    label: `\`${text}\``,
  });

const words = [
  "above", "accumulate", "adapt", "adapter", "ahead", "always", "and", "angle", "answer", "ask", "at", "attention", "batch", "blocks",
  "by", "child", "clip", "cut", "data", "decoding", "depths", "diagonals", "document", "doubling", "else", "evaluate", "every", "except",
  "filler", "from", "if", "import", "in", "input", "insert", "layout", "length", "lengths", "let", "loss", "mask", "metric",
  "mix", "model", "module", "not", "on", "optimizer", "or", "otherwise", "output", "over", "packed", "param", "per",
  "precision", "prepend", "pretrained", "recompute", "repeat", "rotate", "rotated", "rotation", "samples", "scale", "schedule",
  "score", "seed", "select", "sequences", "site", "stage", "start", "state", "table", "task", "teach", "then", "to",
  "tokenizer", "tokens", "top", "train", "training", "update", "validate", "warmup", "weight", "when", "where",
] as const; // prettier-ignore

export type KeywordText = (typeof words)[number];

/** Keyword tokens by their text. */
export const keywords = Object.fromEntries(words.map((text) => [text, keyword(text)])) as Readonly<
  Record<KeywordText, TokenType>
>;

const mark = (name: string, pattern: string): TokenType =>
  createToken({ name, pattern, label: `\`${pattern}\`` });

export const NumberToken = createToken({
  name: "Number",
  pattern: /[0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9]+)?/,
  label: "a number",
});
export const StringToken = createToken({
  name: "String",
  pattern: /"(?:[^"\\\n\r]|\\["\\nt])*"/,
  label: "a text in quotes",
});
export const LessEqual = mark("LessEqual", "<=");
export const GreaterEqual = mark("GreaterEqual", ">=");
export const EqualEqual = mark("EqualEqual", "==");
export const NotEqual = mark("NotEqual", "!=");
export const Less = mark("Less", "<");
export const Greater = mark("Greater", ">");
export const Equal = mark("Equal", "=");
export const Plus = mark("Plus", "+");
export const Minus = mark("Minus", "-");
export const Star = mark("Star", "*");
export const Slash = mark("Slash", "/");
export const Percent = mark("Percent", "%");
export const Caret = mark("Caret", "^");
export const LeftBrace = mark("LeftBrace", "{");
export const RightBrace = mark("RightBrace", "}");
export const LeftBracket = mark("LeftBracket", "[");
export const RightBracket = mark("RightBracket", "]");
export const LeftParen = mark("LeftParen", "(");
export const RightParen = mark("RightParen", ")");
export const Comma = mark("Comma", ",");
export const Colon = mark("Colon", ":");
export const Dot = mark("Dot", ".");

const Space = createToken({
  name: "Space",
  pattern: /[ \t\r\n\f\u00a0\ufeff]+/,
  group: Lexer.SKIPPED,
  line_breaks: true,
});
export const DocComment = createToken({ name: "DocComment", pattern: /\/\/\/[^\n\r]*/, group: "comments" });
export const LineComment = createToken({ name: "LineComment", pattern: /\/\/[^\n\r]*/, group: "comments" });

export const allTokens: readonly TokenType[] = [
  Space,
  DocComment,
  LineComment,
  NumberToken,
  StringToken,
  // Longer words first: a keyword must not be taken for the start of a longer one.
  ...[...words].sort((a, b) => b.length - a.length).map((text) => keywords[text]),
  Identifier,
  Name,
  Word,
  LessEqual,
  GreaterEqual,
  EqualEqual,
  NotEqual,
  Less,
  Greater,
  Equal,
  Plus,
  Minus,
  Star,
  Slash,
  Percent,
  Caret,
  LeftBrace,
  RightBrace,
  LeftBracket,
  RightBracket,
  LeftParen,
  RightParen,
  Comma,
  Colon,
  Dot,
];

export const makeLexer = (): Lexer =>
  new Lexer([...allTokens], {
    ensureOptimizations: false,
    positionTracking: "onlyOffset",
    skipValidations: true,
    recoveryEnabled: true,
  });

/** Names that start a reduction when `[` follows. */
export const reducers: ReadonlySet<string> = new Set(
  "sum mean max min softmax normalize dot attend stack".split(" "),
);

/** Reducers that take arguments in parentheses; the others take what stands right of them. */
export const takesArguments: ReadonlySet<string> = new Set(["dot", "attend", "stack"]);
