/** A batch of rows of unequal lengths is its rows, each alone: six examples against their references, interpreted and native. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { landmark } from "../../examples/landmark/reference.ts";
import { longHeads } from "../../examples/longheads/reference.ts";
import { seerBlocks, seerLoss } from "../../examples/seer-gate/reference.ts";
import { attention as shiftedSparse } from "../../examples/shifted-sparse/reference.ts";
import { attention as sinkWindow } from "../../examples/sink-window/reference.ts";
import { verticalSlash } from "../../examples/vertical-slash/reference.ts";
import type { Problem } from "../../examples/dense.ts";
import { openNative } from "../schedule/support.ts";
import { root } from "../support/check-text.ts";
import { randomNumbers } from "../support/random-values.ts";
import type { Row } from "./elaborated.ts";
import { furthest } from "./support.ts";
import { unequalRows, type Part, type Unequal } from "./unequal-rows.ts";

// Sizes of tests/methods/routed.test.ts, so that kernels of both are compiled once.
const block = 8;
const shape = { heads: 4, kvHeads: 2, size: 16 } as const;
/** In blocks of 8: whole blocks, a few positions more, one more, one block, less; two rows run together. */
const lengths = [37, 64, 17, 17, 8, 5];

const attentionOf = (example: string): string =>
  readFileSync(join(root, "examples", example, "spec.lctx"), "utf8").replace(
    /^(\/\/[^\n]*\n)*model [^]*$/m,
    "",
  );
const library = (name: string): string => `import std.attention { ${name} }\n`;
const oneText = (row: Row): Problem => ({ ...row, documents: new Array<number>(row.length).fill(0) });

interface Case extends Part {
  readonly reference: (row: Row) => Float64Array;
  /** True where a row reads its own end, so that padding would change it. */
  readonly readsEnd: boolean;
}

const cases: readonly Case[] = [
  {
    name: "sink-window",
    text: library("SinkWindow"),
    use: "SinkWindow(span: 32, keep: 4)",
    phase: "training",
    rotates: false,
    reference: (row) => sinkWindow(oneText(row)),
    readsEnd: false,
  },
  {
    name: "landmark",
    text: attentionOf("landmark"),
    use: `Landmark(block: ${block}, keep: 2)`,
    phase: "training",
    reference: (row) => landmark(row, block),
    readsEnd: false,
  },
  {
    name: "longheads",
    text: attentionOf("longheads"),
    use: `LongHeads(block: ${block}, budget: 4)`,
    phase: "evaluation",
    reference: (row) => longHeads(row, block, 4),
    readsEnd: false,
  },
  {
    // Groups are an eighth of the model's length, whatever a row's is.
    name: "shifted-sparse",
    text: library("ShiftedSparse"),
    use: "ShiftedSparse(groups: 8)",
    phase: "training",
    rotates: false,
    reference: (row) => shiftedSparse(oneText(row), block),
    readsEnd: false,
  },
  {
    name: "seer-gate",
    text: attentionOf("seer-gate"),
    use: `SeerGate(block: ${block}, width: 6, threshold: 0.1)`,
    phase: "evaluation",
    reference: (row) => seerBlocks(row, block, 6, 0.1),
    readsEnd: true,
  },
  {
    name: "vertical-slash",
    // Thirty first columns and diagonals would be most of these rows.
    text: attentionOf("vertical-slash").replaceAll(" < 30", " < 3"),
    use: "VerticalSlash(vertical: 8, slash: 7, probe: 16)",
    phase: "evaluation",
    reference: (row) => verticalSlash(row, 8, 7, 16, 3),
    readsEnd: true,
  },
];

const taught: Part = {
  name: "seer-gate",
  text: attentionOf("seer-gate"),
  use: `SeerGate(block: ${block}, width: 6)`,
  phase: "training",
};

let all: Unequal;
let gate: Unequal;
let close = (): void => undefined;
beforeAll(async () => {
  const device = await openNative();
  all = await unequalRows(device, cases, { ...shape, length: 64 }, lengths, 11);
  gate = await unequalRows(device, [taught], { ...shape, length: 64 }, lengths, 12, true);
  close = () => {
    all.close();
    gate.close();
    device.close();
  };
});
afterAll(() => close());

/** The largest difference, over the largest number where that is above 1. */
const apart = (got: ArrayLike<number>, want: ArrayLike<number>): number =>
  furthest(got, want) / Math.max(1, ...Array.from(want, Math.abs));

/** The slope of a reference's total along a direction, and that of gradients. */
function slopes(own: Unequal, path: string, total: (rows: readonly Row[]) => number, name: string) {
  const next = randomNumbers(5);
  const given = own.values.get(path)!;
  const direction = given.map(() => 2 * next() - 1);
  const moved = (step: number): number =>
    total(own.rows(name, new Map([[path, given.map((x, n) => x + step * direction[n]!)]])));
  const want = (moved(1e-6) - moved(-1e-6)) / 2e-6;
  const along = (gradient: ArrayLike<number>): number =>
    direction.reduce((sum, x, n) => sum + x * gradient[n]!, 0);
  return {
    want,
    native: along(own.native.gradients.get(path)!),
    meant: along(own.meant.gradients.get(path)!),
  };
}

describe.each(cases)("$name", ({ name, reference }) => {
  it("gives each row what the row alone gives", () => {
    all.rows(name).forEach((row, n) => {
      const want = reference(row);
      expect(row.length).toBe(lengths[n]);
      expect(furthest(all.meant.outputs(name)[n]!, want), `meaning of row ${n}`).toBeLessThan(1e-9);
      expect(furthest(all.native.outputs(name)[n]!, want), `kernels for row ${n}`).toBeLessThan(1e-5);
    });
  });

  it("has the gradient of its rows together, counted by targets", () => {
    const targets = lengths.reduce((sum, length) => sum + length - 1, 0);
    const total = (rows: readonly Row[]): number =>
      rows.reduce((sum, row, n) => {
        const up = all.up(name)[n]!;
        return reference(row).reduce((part, x, i) => part + x * up[i]!, sum);
      }, 0) / targets;
    for (const path of [`${name}.q`, `${name}.k`, `${name}.v`]) {
      const [got, meant] = [all.native.gradients.get(path)!, all.meant.gradients.get(path)!];
      expect(apart(got, meant), path).toBeLessThan(1e-5);
      const slope = slopes(all, path, total, name);
      expect(Math.abs(slope.want)).toBeGreaterThan(1e-4);
      expect(Math.abs(slope.meant - slope.want), `meaning along ${path}`).toBeLessThan(1e-7);
      expect(Math.abs(slope.native - slope.want), `kernels along ${path}`).toBeLessThan(1e-5);
    }
  });
});

describe("a row that reads its own end", () => {
  it.each(cases.filter(({ readsEnd }) => readsEnd))("$name: is another thing when padded", ({ name }) => {
    const padded = all.padded(name, 64, 1);
    const apart = all.native
      .outputs(name)
      .map((own, n) => (lengths[n]! < 64 ? furthest(padded[n]!, own) : 0));
    expect(Math.max(...apart)).toBeGreaterThan(1e-3);
  });
});

describe("a row that reads no end", () => {
  it.each(cases.filter(({ readsEnd }) => !readsEnd))("$name: is itself whatever follows it", ({ name }) => {
    const [one, other] = [all.padded(name, 64, 1), all.padded(name, 64, 2)];
    expect(other).toEqual(one);
    one.forEach((row, n) => expect(furthest(row, all.native.outputs(name)[n]!)).toBeLessThan(1e-5));
  });
});

describe("the gate's teacher", () => {
  it("asks of each row what it asks of the row alone", () => {
    const targets = lengths.reduce((sum, length) => sum + length - 1, 0);
    const rows = gate.rows("seer-gate");
    rows.forEach((row, n) => {
      const want = seerLoss(row, block, 6) * (row.length - 1);
      expect(Math.abs(gate.meant.losses[n]! - want)).toBeLessThan(1e-9 * Math.max(1, want));
      expect(Math.abs(gate.native.losses[n]! - want)).toBeLessThan(1e-5 * Math.max(1, want));
    });
    const total = (given: readonly Row[]): number =>
      given.reduce((sum, row) => sum + seerLoss(row, block, 6) * (row.length - 1), 0) / targets;
    expect([...gate.native.gradients.keys()]).toEqual(["wq", "wk"]);
    for (const path of ["wq", "wk"]) {
      expect(apart(gate.native.gradients.get(path)!, gate.meant.gradients.get(path)!)).toBeLessThan(1e-5);
      const slope = slopes(gate, path, total, "seer-gate");
      expect(Math.abs(slope.want)).toBeGreaterThan(1e-3);
      expect(Math.abs(slope.meant - slope.want)).toBeLessThan(1e-6 * Math.max(1, Math.abs(slope.want)));
      expect(Math.abs(slope.native - slope.want)).toBeLessThan(1e-5 * Math.max(1, Math.abs(slope.want)));
    }
  });
});
