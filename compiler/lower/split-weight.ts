/** Splits a weight that a spec says, any sum, product and choice of normalisers and reals, into forms that nodes hold. */
import { add, and, bool, mul, not, real, type Expr } from "../ir/expr.ts";
import { simplifyExpr } from "../ir/simplify-expr.ts";
import type { Normaliser, ReadAt, Weight, WeightCase, WeightExpr, WeightNormaliser } from "../ir/weight.ts";

/** What one attention node weighs by; the attention is the sum of its forms' nodes. */
export interface WeightForm {
  readonly weight: Weight;
  readonly sink: Expr | null;
}

/** Forms whose sum is the weight (none when it is 0 everywhere), or why there are none, as a phrase for a user. */
export type SplitWeight =
  | { readonly forms: readonly WeightForm[]; readonly reason: null }
  | { readonly forms: null; readonly reason: string };

interface RowRead {
  readonly of: Normaliser;
  readonly sink: Expr | null;
  readonly at: ReadAt;
}

/** A product of at most one row normaliser, one block normaliser and a real; `size` is the block's, where one is spoken of. */
interface Term {
  readonly row: RowRead | null;
  readonly local: Normaliser | null;
  readonly size: number | null;
  readonly factor: Expr;
}

/** Of several, the first that holds counts. */
interface Alternative {
  readonly when: Expr;
  readonly terms: readonly Term[];
}

class NotExpressible extends Error {}

const always = bool(true);
const one = real(1);
const isZero = (e: Expr): boolean => e.kind === "constant" && e.value === 0;

// Expressions are interned: equal ones are one object.
const sameNormaliser = (a: Normaliser | null, b: Normaliser | null): boolean =>
  a === b || (a !== null && b !== null && a.guard === b.guard && a.score === b.score);
const sameRow = (a: RowRead | null, b: RowRead | null): boolean =>
  a === b || (a !== null && b !== null && sameNormaliser(a.of, b.of) && a.sink === b.sink);

function normaliserTerm(read: WeightNormaliser): Term {
  const of = { guard: read.guard, score: read.score };
  const size = read.scope === "block" || read.at !== "self" ? (read.block ?? null) : null;
  if (size === null && (read.scope === "block" || read.at !== "self"))
    throw new Error("a normaliser that speaks of blocks has no block size");
  if (read.scope === "row")
    return { row: { of, sink: read.sink ?? null, at: read.at }, local: null, size, factor: one };
  if (read.sink !== undefined) throw new NotExpressible("one more term in the denominator of a block");
  if (read.at !== "self")
    throw new NotExpressible(`a block's softmax read at the ${read.at} key of the block`);
  return { row: null, local: of, size, factor: one };
}

function product(a: Term, b: Term): Term {
  if (a.row !== null && b.row !== null) throw new NotExpressible("a product of two softmaxes over the row");
  if (a.local !== null && b.local !== null)
    throw new NotExpressible("a product of two softmaxes over a block");
  if (a.size !== null && b.size !== null && a.size !== b.size)
    throw new NotExpressible(`a product over blocks of ${a.size} and of ${b.size}`);
  return {
    row: a.row ?? b.row,
    local: a.local ?? b.local,
    size: a.size ?? b.size,
    factor: simplifyExpr(mul(a.factor, b.factor)),
  };
}

/** The first of `a` and the first of `b` that hold, together: in this order, their pair is the first of all pairs. */
const both = (
  a: readonly Alternative[],
  b: readonly Alternative[],
  join: (x: readonly Term[], y: readonly Term[]) => readonly Term[],
): readonly Alternative[] =>
  a.flatMap((x) =>
    b.map((y) => ({ when: simplifyExpr(and(x.when, y.when)), terms: join(x.terms, y.terms) })),
  );

const nothing: readonly Alternative[] = [{ when: always, terms: [] }];
const unit: readonly Alternative[] = [
  { when: always, terms: [{ row: null, local: null, size: null, factor: one }] },
];

function alternatives(e: WeightExpr): readonly Alternative[] {
  switch (e.kind) {
    case "normaliser":
      return [{ when: always, terms: [normaliserTerm(e)] }];
    case "real": {
      const factor = simplifyExpr(e.value);
      return isZero(factor)
        ? nothing
        : [{ when: always, terms: [{ row: null, local: null, size: null, factor }] }];
    }
    case "sum":
      return e.terms.map(alternatives).reduce((a, b) => both(a, b, (x, y) => [...x, ...y]), nothing);
    case "product":
      return e.factors
        .map(alternatives)
        .reduce((a, b) => both(a, b, (x, y) => x.flatMap((s) => y.map((t) => product(s, t)))), unit);
    case "choose": {
      const [then, otherwise] = [alternatives(e.then), alternatives(e.otherwise)];
      return [
        ...then.map(({ when, terms }) => ({ when: simplifyExpr(and(e.when, when)), terms })),
        ...otherwise,
      ];
    }
    default:
      return e satisfies never;
  }
}

/** Terms that differ in their factor alone are one. */
function merged(terms: readonly Term[]): readonly Term[] {
  const out: Term[] = [];
  for (const term of terms) {
    const known = out.findIndex(
      (other) =>
        sameRow(other.row, term.row) &&
        other.row?.at === term.row?.at &&
        sameNormaliser(other.local, term.local) &&
        other.size === term.size,
    );
    if (known < 0) out.push(term);
    else out[known] = { ...term, factor: simplifyExpr(add(out[known]!.factor, term.factor)) };
  }
  return out.filter(({ factor }) => !isZero(factor));
}

/** A node in the making: its normalisers as far as terms named them, and its term in each alternative. */
interface Draft {
  readonly row: RowRead | null;
  local: Normaliser | null;
  size: number | null;
  readonly terms: Map<number, Term>;
}

const takes = (draft: Draft, term: Term, alternative: number): boolean =>
  !draft.terms.has(alternative) &&
  sameRow(draft.row, term.row) &&
  (draft.local === null || term.local === null || sameNormaliser(draft.local, term.local)) &&
  (draft.size === null || term.size === null || draft.size === term.size);

function formOf(draft: Draft, list: readonly Alternative[]): WeightForm {
  const cases: WeightCase[] = [];
  // Alternatives without a term weigh nothing, so a later case may not take their pairs.
  let skipped: Expr | null = null;
  list.forEach(({ when }, n) => {
    const term = draft.terms.get(n);
    if (term === undefined) {
      skipped = skipped === null ? not(when) : and(skipped, not(when));
      return;
    }
    cases.push({
      when: simplifyExpr(skipped === null ? when : and(skipped, when)),
      row: term.row?.at ?? null,
      local: term.local !== null,
      factor: term.factor === one ? null : term.factor,
    });
  });
  return {
    weight: {
      row: draft.row?.of ?? null,
      block: draft.size === null ? null : { size: draft.size, inner: draft.local },
      cases,
    },
    sink: draft.row?.sink ?? null,
  };
}

/**
 * The forms of a weight: one node for each row normaliser (and one for what has none), more where one alternative reads
 * the same normaliser at two keys or in blocks of two kinds. Throws only for a tree that is wrong in itself.
 */
export function splitWeight(weight: WeightExpr): SplitWeight {
  let list: readonly Alternative[];
  try {
    list = alternatives(weight)
      .filter(({ when }) => !isZero(when))
      .map(({ when, terms }) => ({ when, terms: merged(terms) }));
  } catch (error) {
    if (error instanceof NotExpressible) return { forms: null, reason: error.message };
    throw error;
  }
  const drafts: Draft[] = [];
  list.forEach(({ terms }, n) => {
    for (const term of terms) {
      let draft = drafts.find((known) => takes(known, term, n));
      if (draft === undefined) {
        draft = { row: term.row, local: null, size: null, terms: new Map() };
        drafts.push(draft);
      }
      draft.local ??= term.local;
      draft.size ??= term.size;
      draft.terms.set(n, term);
    }
  });
  return { forms: drafts.map((draft) => formOf(draft, list)), reason: null };
}

/** The score of plain attention that weighs as this form does where `mask` says what is seen, or null. */
export function plainScoreOf({ weight }: WeightForm, mask: Expr): Expr | null {
  const [first, ...others] = weight.cases;
  const plain =
    weight.row !== null &&
    weight.row.guard === mask &&
    first !== undefined &&
    others.length === 0 &&
    (first.when === always || first.when === mask) &&
    first.row === "self" &&
    !first.local &&
    first.factor === null;
  return plain ? weight.row!.score : null;
}
