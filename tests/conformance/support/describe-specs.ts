/** Random specs as tests: a part of a run for one target, batch by batch. */
import { describe, expect, it } from "vitest";
import type { Target } from "./compile-kernels.ts";
import { runSeed, together, type SpecPart } from "./spec-run.ts";

/** Specs a run compares in all its files, on both targets together. */
const total = Number(process.env["LCTX_SPECS"] ?? 2000);

/** Tests a share of the run's specs; each test file names its own `part`, from which its specs follow. */
export function describeSpecs<S>(part: SpecPart<S>, share: number, target: Target): void {
  const count = Math.ceil(total * share);
  describe(`${part.kind} on ${target}: ${count} random specs, LCTX_SEED=${runSeed}`, () => {
    const batches = Array.from({ length: Math.ceil(count / together) }, (_, n) => n);
    it.each(batches)(
      "batch %i",
      async (n) => {
        const specs = part.specs(n, Math.min(together, count - n * together));
        const { failures } = await part.compare(specs, target);
        expect(failures).toEqual([]);
      },
      600_000,
    );
  });
}
