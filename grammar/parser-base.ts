/** What all rules of the parser share: places, names, and the bounds on how deep a text may nest. */
import { EmbeddedActionsParser, type IToken } from "chevrotain";
import type { Span } from "../compiler/source/span.ts";
import type { Expr, Identifier } from "./ast.ts";
import { limits } from "./limits.ts";
import { DeferredLookahead } from "./lookahead.ts";
import * as t from "./tokens.ts";

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t" };

/** The value of a string token. */
export const stringValue = (image: string): string =>
  image.slice(1, -1).replaceAll(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter);

/** Leaves the parser where a text nests beyond the limit; `parseFile` makes it a diagnostic. */
export class NestingTooDeep extends Error {
  constructor(readonly token: IToken) {
    super("nesting too deep");
  }
}

/** How many of the rules that one level of parentheses enters are counted: expression, negation, signed. */
const rulesPerLevel = 3;

export class ParserBase extends EmbeddedActionsParser {
  /** Path of the file being read. */
  path = "";

  constructor() {
    super([...t.allTokens], {
      recoveryEnabled: true,
      maxLookahead: 1,
      lookaheadStrategy: new DeferredLookahead({ maxLookahead: 1 }),
      nodeLocationTracking: "none",
      skipValidations: true,
    });
  }

  /** How many counting rules are open. */
  depth = 0;

  /** Runs a rule that can contain itself; the stack of calls is what it protects. */
  protected deeper<T>(read: () => T): T {
    if (this.depth >= limits.nesting * rulesPerLevel) throw new NestingTooDeep(this.LA(1));
    this.depth++;
    try {
      return read();
    } finally {
      this.depth--;
    }
  }

  /** Checks the length of a chain of operators: it makes a tree as deep as it is long. */
  protected chained(operands: number): void {
    if (operands > limits.chain) throw new NestingTooDeep(this.LA(1));
  }

  /** Where the next token starts. */
  protected here(): number {
    const token = this.LA(1);
    return Number.isNaN(token.startOffset) ? this.behind() : token.startOffset;
  }

  /** Where the last token ended. Tokens carry their start only. */
  protected behind(): number {
    const { startOffset, image } = this.LA(0);
    return Number.isNaN(startOffset) ? 0 : startOffset + image.length;
  }

  protected since(start: number): Span {
    return { file: this.path, start, end: Math.max(start, this.behind()) };
  }

  protected readonly errorExpr = (): Expr => ({ kind: "error", span: this.since(this.here()) });

  /** A token as a name; an inserted token gives an empty one. */
  protected identifier(token: IToken): Identifier {
    const start = Number.isNaN(token.startOffset) ? this.behind() : token.startOffset;
    const text = token.isInsertedInRecovery ? "" : token.image;
    return { text, span: { file: this.path, start, end: start + text.length } };
  }

  protected name(): Identifier {
    return this.identifier(this.CONSUME(t.Name));
  }
}
