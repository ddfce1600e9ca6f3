/** fast-check arbitraries of scores: the logit, caps, distance penalties by learned slopes, relative tables, logarithms. */
import fc from "fast-check";
import * as e from "../../compiler/ir/expr.ts";
import type { Expr } from "../../compiler/ir/expr.ts";
import type { Buffers } from "./random-attention.ts";
import { h, k, q } from "./random-mask.ts";

/** What becomes of a logit; `build` takes the logit so far. */
export interface ScoreRecipe {
  readonly name: string;
  readonly build: (s: Expr, buffers: Buffers) => Expr;
}

const distance = e.sub(q, k);
const recipe = (name: string, build: ScoreRecipe["build"]): ScoreRecipe => ({ name, build });
const clamp = (x: Expr, n: number): Expr => e.binary("min", e.binary("max", x, e.int(0)), e.int(n - 1));

/** Every form once, by name, for tests that want each. */
export const scoreForms: readonly ((n: number, heads: number) => ScoreRecipe)[] = [
  () => recipe("logit", (s) => s),
  (n) => recipe(`times ${n / 2}`, (s) => e.mul(s, e.real(n / 2))),
  (n) => recipe(`capped at ${n}`, (s) => e.mul(e.real(n), e.unary("tanh", e.div(s, e.real(n))))),
  (n, heads) =>
    recipe("slope by head", (s, buffers) =>
      e.sub(
        s,
        e.mul(e.load(buffers.table({ h: heads }), [h]), e.toReal(e.div(e.toReal(distance), e.real(n + 4)))),
      ),
    ),
  (n, heads) =>
    recipe(`table of ${n} distances`, (s, buffers) =>
      e.add(s, e.load(buffers.table({ h: heads, u: n }), [h, clamp(distance, n)])),
    ),
  (n) =>
    recipe("logarithm of the position", (s) => e.mul(s, e.unary("log", e.add(e.real(1.5 + n), e.toReal(q))))),
  (_, heads) =>
    recipe("squashed product of tables", (s, buffers) => {
      const [gain, lift] = [buffers.table({ h: heads }), buffers.table({ u: 3, h: heads })];
      const bent = e.unary("tanh", e.mul(e.load(gain, [h]), s));
      return e.add(bent, e.mul(e.load(lift, [clamp(distance, 3), h]), e.load(gain, [h])));
    }),
  (n) =>
    recipe(`branch at distance ${n}`, (s) => e.select(e.lt(distance, e.int(n)), s, e.mul(s, e.real(0.5)))),
  (_, heads) =>
    recipe("two loads of one table", (s, buffers) => {
      const table = buffers.table({ h: heads, u: 4 });
      const at = (x: Expr): Expr => e.load(table, [h, e.binary("mod", x, e.int(4))]);
      return e.add(s, e.mul(at(q), at(k)));
    }),
];

/** One or two forms after one another. */
export function randomScore(heads = 4): fc.Arbitrary<ScoreRecipe> {
  const form = fc
    .tuple(fc.constantFrom(...scoreForms), fc.integer({ min: 1, max: 6 }))
    .map(([make, n]) => make(n, heads));
  return fc.oneof(
    form,
    fc
      .tuple(form, form)
      .map(([a, b]) =>
        recipe(`${a.name}, then ${b.name}`, (s, buffers) => b.build(a.build(s, buffers), buffers)),
      ),
  );
}
