/** A task as plain JSON: what a sample draws, what stands in its filler, what it asks; the compiler writes it. */

/** Worked out anew for each sample. `name` is a drawn value, the index of a table, `length` or `depth`. */
export type TaskExpr =
  | { readonly op: "constant"; readonly value: number | string | boolean }
  | { readonly op: "name"; readonly name: string }
  /** An entry of a drawn table. */
  | { readonly op: "entry"; readonly name: string; readonly index: TaskExpr }
  | Draw
  /** A number from 0 to below the size of the axis, each equally likely. */
  | { readonly op: "any"; readonly axis: string }
  /** A number in [0, 1). */
  | { readonly op: "uniform" }
  | {
      readonly op: "arithmetic";
      readonly sign: "+" | "-" | "*" | "/" | "%" | "^";
      readonly left: TaskExpr;
      readonly right: TaskExpr;
    }
  | { readonly op: "negative"; readonly operand: TaskExpr }
  | { readonly op: "not"; readonly operand: TaskExpr }
  | {
      readonly op: "compare";
      readonly signs: readonly ("<" | "<=" | ">" | ">=" | "==" | "!=")[];
      readonly operands: readonly TaskExpr[];
    }
  | { readonly op: "logic"; readonly sign: "and" | "or"; readonly left: TaskExpr; readonly right: TaskExpr }
  | {
      readonly op: "if";
      readonly condition: TaskExpr;
      readonly then: TaskExpr;
      readonly otherwise: TaskExpr;
    }
  | {
      readonly op: "function";
      readonly name: "floor" | "ceil" | "abs" | "min" | "max";
      readonly arguments: readonly TaskExpr[];
    };

/** Texts drawn at random. A table whose entries are such a draw has no two equal entries. */
export type Draw =
  /** Decimal digits, the first of them not 0. */
  | { readonly op: "number"; readonly digits: number }
  /** Lower-case letters. */
  | { readonly op: "word"; readonly letters: number }
  | { readonly op: "pick"; readonly of: readonly string[] };

/** Text with places that are filled. */
export type Template = readonly (string | TaskExpr)[];

export interface TaskLet {
  readonly name: string;
  /** The axis of a table; null: one value. */
  readonly axis: string | null;
  readonly value: TaskExpr;
}

export type TaskFiller =
  /** Repeated from its beginning; its sentences (its words, when it is one sentence) are what inserts stand between. */
  { readonly kind: "text"; readonly text: string } | MarkovFiller;

/**
 * Words, each drawn from the followers of the one before. A word's rank has probability proportional to rank^−exponent,
 * both where followers are chosen and among them. `copies` is the probability, at each word, that a span of earlier
 * words comes again instead.
 */
export interface MarkovFiller {
  readonly kind: "markov";
  readonly words: number;
  readonly followers: number;
  readonly exponent: number;
  readonly copies: number;
  /** Words that a copied span has. */
  readonly span: number;
  /** Seeds words and followers: the same in every sample. */
  readonly language: number;
}

export interface TaskInsert {
  /** Put in once for each index of the axis; null: once. */
  readonly axis: string | null;
  readonly text: Template;
  /** Share of the filler that stands before it; null: drawn uniformly. */
  readonly at: TaskExpr | null;
}

export interface TaskSettings {
  readonly name: string;
  /** The call, with every argument: `needle(digits: 7)`; for people and for finding the same task again. */
  readonly label: string;
  /** Sizes of axes, by name. */
  readonly axes: Readonly<Record<string, TaskExpr>>;
  readonly lets: readonly TaskLet[];
  readonly start: Template;
  readonly filler: TaskFiller;
  readonly inserts: readonly TaskInsert[];
  /** Null: nothing is asked, the samples are text. */
  readonly question: { readonly ask: Template; readonly answer: Template } | null;
  /** True when some expression reads `depth`. */
  readonly readsDepth: boolean;
}

export type MetricName = "exact_match" | "accuracy" | "loss";

/** One task of an `evaluate` item. */
export interface TaskEvaluation {
  readonly task: TaskSettings;
  /** Tokens of question and answer together; null: as the model is trained. */
  readonly lengths: readonly number[] | null;
  /** Values of `depth`, from 0 to 1; null: the task does not read it. */
  readonly depths: readonly number[] | null;
  /** Samples for each length and depth. */
  readonly samples: number;
  readonly seed: number;
  readonly metrics: readonly MetricName[];
}

/** Rows from several sources; shares sum to 1. */
export type MixPart = { readonly share: number } & (
  | { readonly kind: "tokens"; readonly source: string }
  | { readonly kind: "task"; readonly task: TaskSettings }
);
