/** The value of an expression in float64, given the values of its leaves. */
import { binaryOps, unaryOps } from "./expr-ops.ts";
import { rectangleParts, type Expr, type SetOp, type SizeName } from "./expr.ts";

/** What the leaves are worth. A leaf that the place does not have should throw. */
export interface ExprValues {
  readonly index: (name: string) => number;
  readonly size: (name: SizeName) => number;
  readonly scalar: (name: string) => number;
  readonly logit: () => number;
  readonly operand: (index: number) => number;
  /** The element at the given indices, one for each axis of the buffer except the batch. */
  readonly load: (buffer: number, indices: readonly number[]) => number;
  /** Words in a row of a set; they are read with `load`, the word's number last. */
  readonly words: (buffer: number) => number;
  readonly uniform: (stream: number) => number;
}

const absent = (what: string) => (): never => {
  throw new Error(`this expression has no ${what} here`);
};

/** Leaves that all throw, to spread the ones a place has over. */
export const noValues: ExprValues = {
  index: absent("index"),
  size: absent("size"),
  scalar: absent("scalar"),
  logit: absent("logit"),
  operand: absent("operand"),
  load: absent("buffer"),
  words: absent("set"),
  uniform: absent("random number"),
};

const members = 32;

function countBits(word: number): number {
  let count = 0;
  for (let left = word >>> 0; left !== 0; left &= left - 1) count++;
  return count;
}

/** What is asked of a row of a set. Words are 32-bit numbers, signed or not. */
function readSet(
  op: Exclude<SetOp, "any" | "all">,
  word: (n: number) => number,
  words: number,
  element: number,
): number {
  const [at, bit] = [Math.floor(element / members), element - members * Math.floor(element / members)];
  if (op === "member") return at >= 0 && at < words ? (word(at) >>> bit) & 1 : 0;
  let count = 0;
  for (let n = 0; n < words && n < at; n++) count += countBits(word(n));
  return at >= 0 && at < words ? count + countBits(word(at) & (2 ** bit - 1)) : count;
}

/** Whether any or all of a rectangle are members; the last of `low` and `high` are elements. */
function readRectangle(
  op: "any" | "all",
  word: (row: readonly number[], n: number) => number,
  words: number,
  low: readonly number[],
  high: readonly number[],
): number {
  const visit = (row: readonly number[]): number => {
    const axis = row.length;
    const last = axis === low.length - 1;
    for (let at = low[axis]!; at <= high[axis]!; at++) {
      const held = last ? readSet("member", (n) => word(row, n), words, at) : visit([...row, at]);
      if ((held !== 0) === (op === "any")) return op === "any" ? 1 : 0;
    }
    return op === "any" ? 0 : 1;
  };
  return visit([]);
}

/**
 * A function from leaves to the expression's value. A selection evaluates only the branch it takes, and `and` and `or`
 * stop early, so a guarded load outside its buffer is never made. Shared parts are evaluated once.
 */
export function exprEvaluator(root: Expr): (values: ExprValues) => number {
  const made = new Map<Expr, () => number>();
  let values = noValues;
  let generation = 0;

  const build = (e: Expr): (() => number) => {
    const known = made.get(e);
    if (known !== undefined) return known;
    const raw = compute(e);
    let stamp = -1;
    let cached = 0;
    const cacheable =
      e.kind !== "constant" && e.kind !== "index" && e.kind !== "logit" && e.kind !== "operand";
    const remembered = cacheable
      ? (): number => {
          if (stamp === generation) return cached;
          cached = raw();
          stamp = generation;
          return cached;
        }
      : raw;
    made.set(e, remembered);
    return remembered;
  };

  const compute = (e: Expr): (() => number) => {
    switch (e.kind) {
      case "constant":
        return () => e.value;
      case "index":
        return () => values.index(e.name);
      case "size":
        return () => values.size(e.name);
      case "scalar":
        return () => values.scalar(e.name);
      case "logit":
        return () => values.logit();
      case "operand":
        return () => values.operand(e.index);
      case "uniform":
        return () => values.uniform(e.stream);
      case "load": {
        const indices = e.indices.map(build);
        return () =>
          values.load(
            e.buffer,
            indices.map((at) => at()),
          );
      }
      case "set": {
        const [indices, element] = [e.indices.map(build), build(e.element)];
        const { op } = e;
        if (op === "any" || op === "all") {
          const { low, high } = rectangleParts([...indices, element]);
          const word = (row: readonly number[], n: number): number => values.load(e.buffer, [...row, n]);
          const worth = (of: readonly (() => number)[]): number[] => of.map((at) => at());
          return () => readRectangle(op, word, values.words(e.buffer), worth(low), worth(high));
        }
        return () => {
          const row = indices.map((at) => at());
          const word = (n: number): number => values.load(e.buffer, [...row, n]);
          return readSet(op, word, values.words(e.buffer), element());
        };
      }
      case "unary": {
        const [op, x] = [unaryOps[e.op], build(e.operand)];
        // A whole number has no negative zero.
        return e.type === "int" ? () => op(x()) + 0 : () => op(x());
      }
      case "binary": {
        const [a, b] = [build(e.left), build(e.right)];
        if (e.op === "and") return () => (a() !== 0 && b() !== 0 ? 1 : 0);
        if (e.op === "or") return () => (a() !== 0 || b() !== 0 ? 1 : 0);
        const op = binaryOps[e.op];
        return e.type === "int" ? () => op(a(), b()) + 0 : () => op(a(), b());
      }
      case "select": {
        const [condition, a, b] = [build(e.condition), build(e.then), build(e.otherwise)];
        return () => (condition() !== 0 ? a() : b());
      }
      default:
        return e satisfies never;
    }
  };

  const run = build(root);
  return (given) => {
    values = given;
    generation++;
    return run();
  };
}

/** The expression's value, once. */
export const evaluateExpr = (e: Expr, values: Partial<ExprValues>): number =>
  exprEvaluator(e)({ ...noValues, ...values });
