/** Whole-number expressions as sums: constant + Σ factor · part, where parts are not sums themselves. */
import { add, int, mul, neg, type Expr } from "./expr.ts";

export interface LinearForm {
  readonly constant: number;
  /** Factors other than 0, by part. */
  readonly terms: ReadonlyMap<Expr, number>;
}

/** a + factor · b. */
export function addForms(a: LinearForm, b: LinearForm, factor = 1): LinearForm {
  const terms = new Map(a.terms);
  for (const [part, own] of b.terms) {
    const total = (terms.get(part) ?? 0) + factor * own;
    if (total === 0) terms.delete(part);
    else terms.set(part, total);
  }
  return { constant: a.constant + factor * b.constant, terms };
}

const constantForm = (value: number): LinearForm => ({ constant: value, terms: new Map() });
const scaled = (form: LinearForm, factor: number): LinearForm => addForms(constantForm(0), form, factor);

/** The sum that a whole-number expression is. Equal forms mean equal values. */
export function linearForm(e: Expr): LinearForm {
  if (e.kind === "constant") return constantForm(e.value);
  if (e.kind === "unary" && e.op === "neg") return scaled(linearForm(e.operand), -1);
  if (e.kind === "binary" && e.op === "add") return addForms(linearForm(e.left), linearForm(e.right));
  if (e.kind === "binary" && e.op === "sub") return addForms(linearForm(e.left), linearForm(e.right), -1);
  if (e.kind === "binary" && e.op === "mul") {
    const [a, b] = [linearForm(e.left), linearForm(e.right)];
    if (a.terms.size === 0) return scaled(b, a.constant);
    if (b.terms.size === 0) return scaled(a, b.constant);
  }
  return { constant: 0, terms: new Map([[e, 1]]) };
}

/** factor · x. */
export const times = (x: Expr, factor: number): Expr =>
  factor === 1 ? x : factor === -1 ? neg(x) : mul(x, int(factor));

/** The expression of a form. */
export function formExpr(form: LinearForm): Expr {
  let total: Expr = int(form.constant);
  for (const [part, factor] of form.terms) total = add(total, times(part, factor));
  return total;
}
