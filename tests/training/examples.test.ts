/** Every example trains its first steps to the losses that it records. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { methodNames } from "../../scripts/methods-page.ts";
import { trainedSpec, trainExample } from "../../scripts/train-example.ts";

const root = resolve(import.meta.dirname, "../..");

interface Expected {
  readonly command: string;
  readonly seed: number;
  readonly firstLosses: readonly number[];
}

/*
 * Runs are equal to the bit on one machine. On another, vector width and fused multiply-add change the order and
 * number of roundings. Weights before step 1 are the same everywhere, so its loss, about 5.6, differs by roundings of
 * one forward pass. Later ones go through AdamW, whose first updates are lr times the sign of each gradient: where a
 * gradient is as small as its own rounding error the sign may turn, and a weight moves by 2 lr. That changes the loss
 * a little more with each step. Records are rounded to 6 decimals. Native kernels for AVX2 and AVX-512, WebAssembly,
 * one thread and two: none of the five losses differed from its record by more than that rounding, 0.5e-6. The bounds
 * are some times as large, for what other processors may do.
 */
const firstTolerance = 3e-6;
const laterTolerance = 3e-5;

describe("examples", () => {
  it.each(methodNames(root))("%s", async (name) => {
    const spec = trainedSpec(`examples/${name}/spec.lctx`);
    const expected = JSON.parse(
      readFileSync(join(root, `examples/${name}/expected.json`), "utf8"),
    ) as Expected;
    const run = mkdtempSync(join(tmpdir(), "lctx-example-"));
    try {
      const { seed, steps } = await trainExample(spec, { runFolder: run, stopAfter: 5 });
      expect(expected.command).toBe(`lctx train ${spec}`);
      expect(seed).toBe(expected.seed);
      const losses = steps.map(({ loss }) => loss);
      expect(losses.length).toBe(5);
      expect(expected.firstLosses.length).toBe(5);
      const differences = losses.map((loss, n) => Math.abs(loss - expected.firstLosses[n]!));
      expect(differences[0]).toBeLessThan(firstTolerance);
      expect(Math.max(...differences)).toBeLessThan(laterTolerance);
    } finally {
      rmSync(run, { recursive: true });
    }
  });
});
