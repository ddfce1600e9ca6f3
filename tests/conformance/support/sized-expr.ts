/** Values of expressions together with their size: the same computation on absolute values, which cannot cancel. */
import type { ExprValues } from "../../../compiler/ir/evaluate-expr.ts";
import { exprEvaluator, noValues } from "../../../compiler/ir/evaluate-expr.ts";
import { binaryOps, unaryOps } from "../../../compiler/ir/expr-ops.ts";
import type { Expr } from "../../../compiler/ir/expr.ts";

/** Leaves; the logit's size, where it is more than its value: that of the products that it is a sum of. */
export type SizedValues = ExprValues & { readonly logitSize?: () => number };

type Read = () => number;
interface Sized {
  readonly value: Read;
  readonly size: Read;
}

/**
 * A function from leaves to an expression's value and size: the size adds where the value cancels, and grows through
 * steep functions.
 */
export function sizedEvaluator(root: Expr): (values: SizedValues) => { value: number; size: number } {
  const made = new Map<Expr, Sized>();
  let values: SizedValues = noValues;
  let generation = 0;
  /** Computed once for each set of leaves. */
  const remembered = (read: Read): Read => {
    let [stamp, kept] = [-1, 0];
    return () => {
      if (stamp !== generation) [kept, stamp] = [read(), generation];
      return kept;
    };
  };
  const of = (e: Expr): Sized => {
    const known = made.get(e);
    if (known !== undefined) return known;
    const value = remembered(valueOf(e));
    const sized = { value, size: remembered(sizeOf(e, value)) };
    made.set(e, sized);
    return sized;
  };

  const valueOf = (e: Expr): Read => {
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
        const indices = e.indices.map((index) => of(index).value);
        return () =>
          values.load(
            e.buffer,
            indices.map((index) => index()),
          );
      }
      case "set": {
        const asked = exprEvaluator(e);
        return () => asked(values);
      }
      case "unary": {
        const [op, x] = [unaryOps[e.op], of(e.operand).value];
        return () => op(x());
      }
      case "binary": {
        const [op, a, b] = [binaryOps[e.op], of(e.left).value, of(e.right).value];
        return () => op(a(), b());
      }
      case "select": {
        const [condition, a, b] = [of(e.condition).value, of(e.then).value, of(e.otherwise).value];
        return () => (condition() !== 0 ? a() : b());
      }
      default:
        return e satisfies never;
    }
  };

  const sizeOf = (e: Expr, value: Read): Read => {
    switch (e.kind) {
      case "logit":
        return () => Math.max(Math.abs(values.logit()), values.logitSize?.() ?? 0);
      case "unary": {
        const x = of(e.operand);
        switch (e.op) {
          case "neg":
          case "abs":
          case "to-real":
            return x.size;
          case "tanh":
          case "sigmoid":
          case "erf":
          case "sin":
          case "cos":
            // Slopes of at most 1.2: an error of the operand passes through.
            return () => Math.abs(value()) + 1.2 * x.size();
          case "log":
            return () => Math.abs(value()) + x.size() / Math.abs(x.value());
          case "sqrt":
          case "exp":
            return () => Math.abs(value()) * (1 + x.size());
          default:
            return () => Math.abs(value());
        }
      }
      case "binary": {
        const [a, b] = [of(e.left), of(e.right)];
        switch (e.op) {
          case "add":
          case "sub":
            return () => a.size() + b.size();
          case "mul":
            return () => 2 * a.size() * b.size();
          case "div":
            return () => (2 * a.size()) / Math.abs(b.value());
          case "min":
          case "max":
            return () => Math.max(a.size(), b.size());
          case "pow":
            return () => Math.abs(value()) * (1 + a.size() * b.size());
          default:
            return () => Math.abs(value());
        }
      }
      case "select": {
        const [condition, a, b] = [of(e.condition), of(e.then), of(e.otherwise)];
        return () => (condition.value() !== 0 ? a.size() : b.size());
      }
      default:
        return () => Math.abs(value());
    }
  };

  const { value, size } = of(root);
  return (given) => {
    values = given;
    generation++;
    return { value: value(), size: size() };
  };
}
