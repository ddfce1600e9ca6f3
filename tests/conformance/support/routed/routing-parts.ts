/** What random routings are made of: their clauses, what sizes follow from, blocks and limits. */
import fc from "fast-check";

/** The clauses of an attention, in order. */
export interface Routing {
  readonly lines: readonly string[];
  /** The mask beside `causal`; null: nothing else. */
  readonly mask: string | null;
  readonly features: readonly string[];
  /** `loss teach`, since the attention has a teacher and its gate learns from nothing else. */
  readonly teaches?: boolean;
  /** A block size and the set that a turn may rank by. */
  readonly turnsBy?: number;
}

/** What sizes follow from. */
export interface Setting {
  readonly heads: number;
  readonly length: number;
}

/** Blocks around the length of the text, and small ones. */
export const blockOf = ({ length }: Setting): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 9 }) },
    { weight: 1, arbitrary: fc.constantFrom(16, 31, 33) },
    { weight: 1, arbitrary: fc.constant(length) },
    { weight: 1, arbitrary: fc.constant(length + 1) },
    { weight: 1, arbitrary: fc.constant(Math.max(1, length - 1)) },
  );

/** `top …` or `above …`: as a number, a parameter's default or a table by head, which needs lines before it. */
export interface Limit {
  readonly text: string;
  readonly before: readonly string[];
  readonly features: readonly string[];
}
export const limitOf = (
  name: string,
  most: number,
  byHead: boolean,
  thresholds: readonly number[],
  row: string | null = null,
): fc.Arbitrary<Limit> =>
  fc
    .tuple(
      fc.constantFrom("number", "parameter", "table", "above", "above a table", "by row", "above by row"),
      fc.integer({ min: 0, max: most }),
      fc.constantFrom(...thresholds),
    )
    .map(([kind, n, t]): Limit => {
      const known = (byHead || !kind.includes("table")) && (row !== null || !kind.includes("row"));
      const own = known ? kind : "number";
      switch (own) {
        case "parameter":
          return { text: "top budget", before: [], features: ["budget as a parameter"] };
        case "table":
          return {
            text: `top ${name}_budget`,
            before: [`let ${name}_budget[h] = ${n} + ordinal(h) * 2`],
            features: ["budget by head"],
          };
        case "above":
          return { text: `above ${t}`, before: [], features: ["above a threshold"] };
        case "above a table":
          return {
            text: `above ${name}_floor`,
            before: [`let ${name}_floor[h] = ${t} * (1 + ordinal(h))`],
            features: ["above a threshold", "threshold by head"],
          };
        case "by row":
          return {
            text: `top ${n} + ordinal(${row}) / 4`,
            before: [],
            features: ["budget by row"],
          };
        case "above by row":
          return {
            text: `above ${t} * (1 + 1 / (1 + ordinal(${row})))`,
            before: [],
            features: ["above a threshold", "threshold by row"],
          };
        default:
          return { text: `top ${n}`, before: [], features: ["budget as a number"] };
      }
    });
