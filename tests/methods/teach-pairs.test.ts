/** Softmaxes over keys that a softmax over keys teaches: the divergence and its gradients against whole rows of weights, and the kernels. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Device } from "../../runtime/device/device.ts";
import { rotated } from "../../examples/dense.ts";
import { chosen, dot, keyOf, logit, queryOf, range, softmax, weighed } from "../../examples/routing.ts";
import { openNative } from "../schedule/support.ts";
import { root } from "../support/check-text.ts";
import { elaborated, lowered, type Row } from "./elaborated.ts";
import { onDevice } from "./native-attention.ts";
import { furthest } from "./support.ts";
import { tableSlopes } from "./table-slopes.ts";

const width = 6;
/** The tables that are taught. */
const paths = ["wq", "wk"];
const shapes = [
  { heads: 4, kvHeads: 4, size: 6 },
  { heads: 4, kvHeads: 2, size: 4 },
] as const;

interface Case {
  readonly text: string;
  readonly use: string;
  /** Weights of the teacher and of what is taught, [head][query][key]. */
  readonly weights: (row: Row) => { readonly from: Weights; readonly taught: Weights };
}
type Weights = readonly (readonly Float64Array[])[];

const table = (row: Row, seen: (q: number, k: number) => boolean, of: Of): Weights =>
  range(row.heads).map((h) =>
    range(row.length).map((q) =>
      softmax(
        row.length,
        (k) => seen(q, k),
        (k) => of(h, q, k),
      ),
    ),
  );
type Of = (h: number, q: number, k: number) => number;

/** Σ over d of a vector and a table [d][width]. */
const times = (vector: Float64Array, weights: Float64Array, at: number): Float64Array =>
  Float64Array.from({ length: width }, (_, e) =>
    vector.reduce((sum, x, d) => sum + x * weights[(at + d) * width + e]!, 0),
  );
const plus = (a: Float64Array, b: Float64Array): Float64Array => a.map((x, n) => x + b[n]!);

/** The index of examples/patterns/token-index.lctx, the same for all heads. */
function sharedIndex(row: Row): Of {
  const { wq, wk } = row.tables as Record<string, Float64Array>;
  const side = (weights: Float64Array, of: (head: number, at: number) => Float64Array) =>
    range(row.length).map((at) =>
      rotated(
        range(row.heads)
          .map((h) => times(of(h, at), weights, h * row.size))
          .reduce(plus),
        at,
      ),
    );
  const asks = side(wq!, (h, at) => queryOf(row, h, at));
  const holds = side(wk!, (h, at) => keyOf(row, h, at));
  return (_, q, k) => dot(asks[q]!, holds[k]!) / Math.sqrt(width);
}

/** An index for each head, unturned, half as steep. */
function ownIndex(row: Row): Of {
  const { wq, wk } = row.tables as Record<string, Float64Array>;
  return (h, q, k) =>
    0.5 * dot(times(queryOf(row, h, q), wq!, h * row.size), times(keyOf(row, h, k), wk!, h * row.size));
}

const causal = (q: number, k: number): boolean => k <= q;
const own =
  (row: Row): Of =>
  (h, q, k) =>
    logit(row, h, q, k);

const pattern = readFileSync(join(root, "examples/patterns/token-index.lctx"), "utf8").replace(
  /^model [^]*$/m,
  "",
);
const windowed = `
import std.masks { causal }
attention Own(width: Count = ${width}) {
  param wq[h, d, e: width], wk[h, d, e]
  let asks[h, q, e]  = sum[d] Q * wq
  let holds[h, k, e] = sum[d] K * wk
  let index[h, q, k] = softmax[k if k < q] 0.5 * dot[e](asks, holds)
  let p[h, q, k]     = softmax[k if k < q and q - k < 5] 2 * s
  teach index by kl from p scale length
  mask causal
}
`;
const cases: Readonly<Record<string, Case>> = {
  "one index for all heads": {
    text: pattern,
    use: `TokenIndex(width: ${width}, keep: 3)`,
    weights: (row) => ({
      from: table(row, causal, own(row)),
      taught: table(row, causal, sharedIndex(row)),
    }),
  },
  "an index for each head, of a teacher that sees a window, with a row that sees nothing": {
    text: windowed,
    use: "Own()",
    weights: (row) => ({
      from: table(
        row,
        (q, k) => k < q && q - k < 5,
        (h, q, k) => 2 * logit(row, h, q, k),
      ),
      taught: table(row, (q, k) => k < q, ownIndex(row)),
    }),
  },
};

/** The mean over heads and queries of KL(from ‖ taught). */
function lossOf({ weights }: Case, row: Row): number {
  const { from, taught } = weights(row);
  let total = 0;
  for (const h of range(row.heads))
    for (const q of range(row.length))
      for (const k of range(row.length)) {
        const p = from[h]![q]![k]!;
        if (p > 0) total += p * (Math.log(p) - Math.log(taught[h]![q]![k]!));
      }
  return total / (row.heads * row.length);
}

describe.each(Object.entries(cases))("%s", (_, one) => {
  it("has the divergence of whole rows as its loss", () => {
    let seed = 1;
    for (const length of [1, 2, 7, 8, 23])
      for (const shape of shapes) {
        const made = elaborated(one.text, one.use, { ...shape, length }, "training", seed++);
        const losses = made.run("teacher0");
        made.rows.forEach((row, n) => {
          const want = lossOf(one, row);
          expect(Math.abs(losses.data[n]! - want)).toBeLessThan(1e-9 * Math.max(1, want));
          if (length > 2) expect(want).toBeGreaterThan(1e-2);
        });
      }
  });

  it("gives its gradient to what is taught, and none to the teacher", () => {
    for (const shape of shapes) {
      const length = 13;
      const made = elaborated(one.text, one.use, { ...shape, length }, "training", 7);
      for (const { along, measured } of tableSlopes(made, length, paths, (row) => lossOf(one, row))) {
        expect(Math.abs(along)).toBeGreaterThan(1e-3);
        expect(Math.abs(measured - along)).toBeLessThan(1e-6 * Math.max(1, Math.abs(along)));
      }
    }
  });
});

describe("kernels", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openNative();
  });
  afterAll(() => device.close());

  it.each(Object.entries(cases))("%s: loss and gradients are those of whole rows", async (_, one) => {
    for (const shape of shapes) {
      const made = await onDevice(device, one.text, one.use, shape, "training", true);
      for (const length of [1, 7, 37]) {
        const ran = made.at(length, length);
        ran.rows.forEach((row, n) => {
          const want = lossOf(one, row);
          expect(Math.abs(ran.taught[n]! - want)).toBeLessThan(1e-5 * Math.max(1, want));
        });
        const meant = ran.meantGradients();
        for (const path of paths) {
          const want = meant.get(path)!;
          const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
          expect(furthest(ran.gradients.get(path)!, want)).toBeLessThan(1e-5 * largest);
          if (length > 2) expect(largest).toBeGreaterThan(1e-2);
        }
      }
      made.close();
    }
  });
});

it("the chosen tokens are those that the index ranks highest", () => {
  for (const shape of shapes) {
    const made = elaborated(
      pattern,
      `TokenIndex(width: ${width}, keep: 3)`,
      { ...shape, length: 23 },
      "decoding",
      5,
    );
    const outputs = made.outputs();
    made.rows.forEach((row, n) => {
      const index = sharedIndex(row);
      const kept = range(row.length).map((q) =>
        chosen(
          range(q + 1),
          (k) => k === q,
          (k) => index(0, q, k),
          3,
        ),
      );
      const want = weighed(row, (h, q) =>
        softmax(
          row.length,
          (k) => kept[q]!.has(k),
          (k) => logit(row, h, q, k),
        ),
      );
      expect(furthest(outputs[n]!, want)).toBeLessThan(1e-9);
    });
  }
});

it.each([
  ["softmax[k if k < q and q - k < 3] dot[e](asks, holds)", /taught about keys that it leaves out/],
  ["softmax[k if k < q] dot[e](asks, holds) * (1 + dot[e](asks, holds))", /anything but a product/],
  ["softmax[k if k < q] dot[e](asks, holds) - 0.1 * (q - k)", /anything but a product of queries and keys/],
])("refuse what no sums over rows say: %s", (index, message) => {
  const text = windowed.replace(/softmax\[k if k < q\] 0.5.*/, index);
  expect(() => lowered(text, "Own()", { ...shapes[0], length: 9 }, "training")).toThrow(message);
});
