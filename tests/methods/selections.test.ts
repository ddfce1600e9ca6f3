/** Selections, folds over pairs, teachers and turned positions of the language document's specs against dense references. */
import { describe, expect, it } from "vitest";
import type { AttentionPhase } from "../../compiler/ir/attention-meaning.ts";
import { landmark, landmarkBlocks } from "../../examples/landmark/reference.ts";
import { longHeads } from "../../examples/longheads/reference.ts";
import { causal } from "../../examples/routing.ts";
import { seerBlocks, seerLoss } from "../../examples/seer-gate/reference.ts";
import { verticalSlash } from "../../examples/vertical-slash/reference.ts";
import { attentionOf, elaborated, type Elaborated, type Row, type Shape } from "./elaborated.ts";
import { furthest } from "./support.ts";
import { tableSlopes } from "./table-slopes.ts";

const heads = [
  { heads: 4, kvHeads: 4, size: 6 },
  { heads: 4, kvHeads: 2, size: 4 },
] as const;

/** The largest difference of outputs from a reference, over the rows of a batch. */
const difference = (one: Elaborated, reference: (row: Row) => Float64Array): number => {
  const outputs = one.outputs();
  return Math.max(...one.rows.map((row, n) => furthest(outputs[n]!, reference(row))));
};

/** Every shape of heads at every length, each with numbers of its own. */
function eachShape(lengths: readonly number[], check: (shape: Shape, seed: number) => void): void {
  let seed = 1;
  for (const length of lengths) for (const own of heads) check({ ...own, length }, seed++);
}

const seen = (
  spec: string,
  use: string,
  phase: AttentionPhase,
): ((shape: Shape, seed: number) => Elaborated) => {
  const text = attentionOf(spec);
  return (shape, seed) => elaborated(text, use, shape, phase, seed);
};

describe("columns and diagonals chosen by the last rows", () => {
  it("are those of the paper", () => {
    const make = seen("vertical-slash", "VerticalSlash(vertical: 33, slash: 31, probe: 5)", "decoding");
    eachShape([1, 4, 37, 61], (shape, seed) => {
      const one = make(shape, seed);
      expect(difference(one, (row) => verticalSlash(row, 33, 31, 5))).toBeLessThan(1e-9);
      if (shape.length === 61) expect(difference(one, causal)).toBeGreaterThan(1e-3);
    });
  });

  it("are everything when the budget is the length", () => {
    const make = seen("vertical-slash", "VerticalSlash(vertical: 61, slash: 1, probe: 64)", "training");
    eachShape([61], (shape, seed) => expect(difference(make(shape, seed), causal)).toBeLessThan(1e-9));
  });
});

describe("blocks that each query of each head chooses", () => {
  const block = 8;
  const lengths = [1, block - 1, block, block + 1, 43, 61];

  it("are those of the paper, with their keys re-indexed", () => {
    const make = seen("longheads", `LongHeads(block: ${block}, budget: 3)`, "decoding");
    eachShape(lengths, (shape, seed) => {
      const one = make(shape, seed);
      expect(difference(one, (row) => longHeads(row, block, 3))).toBeLessThan(1e-9);
      if (shape.length === 61) expect(difference(one, causal)).toBeGreaterThan(1e-3);
    });
  });

  it("are plain causal attention when the budget holds them all", () => {
    const make = seen("longheads", `LongHeads(block: ${block}, budget: 8)`, "training");
    eachShape(lengths, (shape, seed) => expect(difference(make(shape, seed), causal)).toBeLessThan(1e-9));
  });

  it("are those whose last key fits best", () => {
    const make = seen("landmark", `Landmark(block: ${block}, keep: 2)`, "decoding");
    eachShape(lengths, (shape, seed) => {
      const one = make(shape, seed);
      expect(difference(one, (row) => landmarkBlocks(row, block, 2))).toBeLessThan(1e-9);
      if (shape.length === 61) expect(difference(one, (row) => landmark(row, block))).toBeGreaterThan(1e-3);
    });
  });

  it("are all blocks when there are no more than are kept", () => {
    const make = seen("landmark", `Landmark(block: ${block}, keep: 8)`, "decoding");
    eachShape([43], (shape, seed) =>
      expect(difference(make(shape, seed), (row) => landmark(row, block))).toBeLessThan(1e-9),
    );
  });
});

describe("a gate that a teacher trains", () => {
  const block = 8;
  const lengths = [1, block - 1, block, block + 1, 43];
  const use = `SeerGate(block: ${block}, width: 6)`;

  it("has the divergence of the paper as its loss", () => {
    const make = seen("seer-gate", use, "training");
    eachShape(lengths, (shape, seed) => {
      const one = make(shape, seed);
      expect(difference(one, causal)).toBeLessThan(1e-9);
      const losses = one.run("teacher0");
      expect(losses.shape).toEqual([2]);
      one.rows.forEach((row, n) => {
        const want = seerLoss(row, block, 6);
        expect(Math.abs(losses.data[n]! - want)).toBeLessThan(1e-9 * Math.max(1, Math.abs(want)));
        if (shape.length > block) expect(want).toBeGreaterThan(1e-3);
      });
    });
  });

  it("gets the gradient of that loss, and its teacher none", () => {
    const one = seen("seer-gate", use, "training")({ heads: 4, kvHeads: 2, size: 4, length: 19 }, 7);
    const slopes = tableSlopes(one, 19, ["wq", "wk"], (row) => seerLoss(row, block, 6));
    for (const { along, measured } of slopes) {
      expect(Math.abs(along)).toBeGreaterThan(1e-2);
      expect(Math.abs(measured - along)).toBeLessThan(1e-6 * Math.abs(along));
    }
  });

  it("keeps the blocks above its threshold", () => {
    const text = attentionOf("seer-gate").replace("above 5e-4", "above 0.2");
    eachShape(lengths, (shape, seed) => {
      const one = elaborated(text, use, shape, "evaluation", seed);
      expect(difference(one, (row) => seerBlocks(row, block, 6, 0.2))).toBeLessThan(1e-9);
      if (shape.length === 43) expect(difference(one, causal)).toBeGreaterThan(1e-3);
    });
  });

  it("is dense attention when every block is above", () => {
    const text = attentionOf("seer-gate").replace("above 5e-4", "above -1");
    eachShape([43], (shape, seed) =>
      expect(difference(elaborated(text, use, shape, "decoding", seed), causal)).toBeLessThan(1e-9),
    );
  });
});

describe("a weight of two levels", () => {
  const block = 8;

  it("is that of the paper, in training", () => {
    const make = seen("landmark", `Landmark(block: ${block}, keep: 2)`, "training");
    eachShape([1, block - 1, block, block + 1, 43], (shape, seed) => {
      const one = make(shape, seed);
      expect(difference(one, (row) => landmark(row, block))).toBeLessThan(1e-9);
      if (shape.length === 43) expect(difference(one, causal)).toBeGreaterThan(1e-3);
    });
  });

  it("is a softmax where it says so", () => {
    const text = `attention Plain() { mask q >= k
      let p[h, q, k] = softmax[k if q >= k] s
      weight = p
    }`;
    eachShape([9], (shape, seed) =>
      expect(difference(elaborated(text, "Plain()", shape, "training", seed), causal)).toBeLessThan(1e-9),
    );
  });
});

describe("no output depends on later tokens", () => {
  // A choice by the last rows of a text reads the whole text, by design of the paper: it is for prefill alone.
  it.each([
    ["landmark", "Landmark(block: 8, keep: 2)", "training"],
    ["landmark", "Landmark(block: 8, keep: 2)", "decoding"],
    ["longheads", "LongHeads(block: 8, budget: 3)", "decoding"],
    ["shifted-sparse", "ShiftedSparse(groups: 2)", "training"],
    ["sink-window", "SinkWindow(span: 6, keep: 2)", "training"],
  ] as const)("%s: %s, %s", (spec, use, phase) => {
    const length = 40;
    const one = seen(spec, use, phase)({ heads: 4, kvHeads: 2, size: 4, length }, 11);
    const before = one.run("output").data.slice();
    const last = 29;
    for (const name of ["q", "k", "v"]) {
      const { data, shape } = one.inputs.get(name)!;
      const width = shape[2]! * shape[3]!;
      for (let n = 0; n < data.length; n++) if (Math.floor(n / width) % length > last) data[n] = 3 - data[n]!;
    }
    const after = one.run("output").data;
    let changed = 0;
    before.forEach((x, n) => {
      const t = Math.floor(n / 16) % length;
      if (t <= last) expect(after[n]).toBe(x);
      else if (after[n] !== x) changed++;
    });
    expect(changed).toBeGreaterThan(0);
  });
});
