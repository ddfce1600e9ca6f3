/** Examples that choose their keys, on the CPU's kernels: against their references, where they are dense, and what they may not see. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { landmark, landmarkBlocks } from "../../examples/landmark/reference.ts";
import { longHeads } from "../../examples/longheads/reference.ts";
import { causal } from "../../examples/routing.ts";
import { seerBlocks, seerLoss } from "../../examples/seer-gate/reference.ts";
import { verticalSlash } from "../../examples/vertical-slash/reference.ts";
import type { AttentionPhase } from "../../compiler/ir/attention-meaning.ts";
import type { Device } from "../../runtime/device/device.ts";
import { openNative } from "../schedule/support.ts";
import { root } from "../support/check-text.ts";
import { randomNumbers } from "../support/random-values.ts";
import type { Row } from "./elaborated.ts";
import { batch, onDevice, type OnDevice } from "./native-attention.ts";
import { furthest } from "./support.ts";

interface Case {
  readonly name: string;
  readonly example: string;
  readonly use: string;
  readonly phase: AttentionPhase;
  readonly reference: (row: Row) => Float64Array;
  /** True where the numbers chosen say that every key stays. */
  readonly dense?: boolean;
}

const block = 8;
const all = 256;
const cases: readonly Case[] = [
  {
    name: "landmark, training",
    example: "landmark",
    use: `Landmark(block: ${block}, keep: 3)`,
    phase: "training",
    reference: (row) => landmark(row, block),
  },
  {
    name: "landmark, three blocks kept",
    example: "landmark",
    use: `Landmark(block: ${block}, keep: 3)`,
    phase: "decoding",
    reference: (row) => landmarkBlocks(row, block, 3),
  },
  {
    name: "landmark, all blocks kept",
    example: "landmark",
    use: `Landmark(block: ${block}, keep: ${all / block})`,
    phase: "decoding",
    reference: (row) => landmark(row, block),
  },
  {
    name: "longheads, a budget of four blocks",
    example: "longheads",
    use: `LongHeads(block: ${block}, budget: 4)`,
    phase: "evaluation",
    reference: (row) => longHeads(row, block, 4),
  },
  {
    name: "longheads, a budget of all blocks",
    example: "longheads",
    use: `LongHeads(block: ${block}, budget: ${all / block})`,
    phase: "evaluation",
    reference: causal,
    dense: true,
  },
  {
    name: "seer-gate, training",
    example: "seer-gate",
    use: `SeerGate(block: ${block}, width: 6)`,
    phase: "training",
    reference: causal,
    dense: true,
  },
  {
    name: "seer-gate, blocks above 0.1",
    example: "seer-gate",
    use: `SeerGate(block: ${block}, width: 6, threshold: 0.1)`,
    phase: "evaluation",
    reference: (row) => seerBlocks(row, block, 6, 0.1),
  },
  {
    name: "seer-gate, a threshold of 0",
    example: "seer-gate",
    use: `SeerGate(block: ${block}, width: 6, threshold: 0)`,
    phase: "evaluation",
    reference: causal,
    dense: true,
  },
  {
    name: "vertical-slash, forty columns and forty diagonals",
    example: "vertical-slash",
    use: "VerticalSlash(vertical: 40, slash: 40, probe: 16)",
    phase: "evaluation",
    reference: (row) => verticalSlash(row, 40, 40, 16),
  },
  {
    name: "vertical-slash, every column",
    example: "vertical-slash",
    use: `VerticalSlash(vertical: ${all}, slash: 30, probe: 16)`,
    phase: "evaluation",
    reference: causal,
    dense: true,
  },
  {
    name: "vertical-slash, every diagonal",
    example: "vertical-slash",
    use: `VerticalSlash(vertical: 30, slash: ${all}, probe: 16)`,
    phase: "evaluation",
    reference: causal,
    dense: true,
  },
];

const attentionOf = (example: string): string =>
  readFileSync(join(root, "examples", example, "spec.lctx"), "utf8").replace(
    /^(\/\/[^\n]*\n)*model [^]*$/m,
    "",
  );

const shapes = [
  { heads: 4, kvHeads: 4, size: 6 },
  { heads: 4, kvHeads: 2, size: 16 },
] as const;
type Heads = (typeof shapes)[number];

/** Fewer tokens than a block, one block, one more, odd ones, and many blocks. */
const lengthsOf = ({ size }: Heads): readonly number[] =>
  size === 6 ? [1, block, 37, 256] : [block - 1, block + 1, 37];

let device: Device;
beforeAll(async () => {
  device = await openNative();
});
afterAll(() => device.close());

/** The largest difference, over the largest number where that is above 1. */
const apart = (got: ArrayLike<number>, want: ArrayLike<number>): number =>
  furthest(got, want) / Math.max(1, ...Array.from(want, Math.abs));

/** The reference's slope along a direction, of the sum of its output times `up`. */
function slope(
  total: (rows: readonly Row[]) => number,
  rowsWith: (values: Float64Array) => readonly Row[],
  given: Float64Array,
  direction: Float64Array,
): number {
  const moved = (step: number): number => total(rowsWith(given.map((x, n) => x + step * direction[n]!)));
  return (moved(1e-6) - moved(-1e-6)) / 2e-6;
}

describe.each(cases)("$name", ({ example, use, phase, reference, dense }) => {
  it.each(shapes)("is its reference: $heads heads, $kvHeads of keys, size $size", async (shape) => {
    const own: OnDevice = await onDevice(device, attentionOf(example), use, shape, phase);
    try {
      for (const [n, length] of lengthsOf(shape).entries()) {
        const ran = own.at(length, 17 + n);
        // The interpreter takes long over long rows: there, the last row of the batch stands against the reference alone.
        const wanted = (length > 64 ? ran.rows.slice(-1) : ran.rows).map(reference);
        const meant = length > 64 ? null : ran.meant();
        wanted.forEach((want, n) => {
          const row = n + batch - wanted.length;
          if (meant !== null) expect(furthest(meant[row]!, want), `meaning at ${length}`).toBeLessThan(1e-9);
          expect(furthest(ran.outputs[row]!, want), `kernels at ${length}`).toBeLessThan(1e-5);
        });
        if (length <= 64)
          for (const [path, want] of ran.meantGradients())
            expect(apart(ran.gradients.get(path)!, want), `gradient of ${path} at ${length}`).toBeLessThan(
              1e-5,
            );
        if (length === 256 && dense !== true)
          expect(furthest(ran.outputs[1]!, causal(ran.rows[1]!)), "not dense").toBeGreaterThan(1e-3);
        if (length !== 37) continue;
        const total = (rows: readonly Row[]): number =>
          rows.reduce((sum, row, at) => {
            const up = ran.up[at]!;
            return reference(row).reduce((part, x, i) => part + x * up[i]!, sum);
          }, 0);
        const next = randomNumbers(5);
        for (const [path, got] of ran.gradients) {
          const given = ran.values.get(path)!;
          const direction = given.map(() => 2 * next() - 1);
          const along = got.reduce((sum, x, i) => sum + x * direction[i]!, 0);
          const want = slope(total, (values) => ran.rowsWith(path, values), given, direction);
          const size = Math.max(1, ...got.map(Math.abs));
          expect(Math.abs(along - want), `slope along ${path}`).toBeLessThan(
            1e-5 * Math.max(size, Math.abs(want)),
          );
          expect(Math.abs(want)).toBeGreaterThan(1e-3);
        }
      }
    } finally {
      own.close();
    }
  });
});

describe("the gate's teacher", () => {
  it.each(shapes)("asks what the paper asks: $heads heads, $kvHeads of keys, size $size", async (shape) => {
    const use = `SeerGate(block: ${block}, width: 6)`;
    const own = await onDevice(device, attentionOf("seer-gate"), use, shape, "training", true);
    try {
      for (const [n, length] of lengthsOf(shape).entries()) {
        const ran = own.at(length, 31 + n);
        ran.rows.forEach((row, at) => {
          const want = seerLoss(row, block, 6);
          expect(Math.abs(ran.taught[at]! - want), `at ${length}`).toBeLessThan(1e-5 * Math.max(1, want));
        });
        expect([...ran.gradients.keys()]).toEqual(["wq", "wk"]);
        if (length <= 64)
          for (const [path, want] of ran.meantGradients())
            expect(apart(ran.gradients.get(path)!, want), `gradient of ${path} at ${length}`).toBeLessThan(
              1e-5,
            );
        if (length > block) expect(ran.taught[0]).toBeGreaterThan(1e-3);
      }
    } finally {
      own.close();
    }
  });
});

describe("no position learns from what comes before it", () => {
  // A choice by the last rows of a text reads the whole text, and a block's gate the whole block, by design of the
  // papers; but no gradient passes through a choice.
  it.each(cases)("$name", async ({ example, use, phase }) => {
    const shape = shapes[1];
    const own = await onDevice(device, attentionOf(example), use, shape, phase);
    try {
      const last = 29;
      const ran = own.at(43, 3, last);
      for (const [path, got] of ran.gradients) {
        const width = (path === "q" ? shape.heads : shape.kvHeads) * shape.size;
        const place = (n: number): number => Math.floor(n / width) % all;
        expect(got.some((x, n) => place(n) <= last && x !== 0)).toBe(true);
        expect(
          got.every((x, n) => place(n) <= last || x === 0),
          path,
        ).toBe(true);
      }
    } finally {
      own.close();
    }
  });
});
