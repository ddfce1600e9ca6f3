/** What `lctx explain kernels --target cuda` works out without a GPU: expected times and the report of ptxas. */
import { describe, expect, it } from "vitest";
import { expectedTime } from "../../compiler/cli/cuda-expected.ts";
import { resourcesIn } from "../../compiler/cli/cuda-measures.ts";
import { attentionCase } from "./attention-cases.ts";

const sizes = { heads: 4, groups: 2, d: 64, e: 64 };
const at = (name: string, length: number): number =>
  expectedTime(attentionCase(name, sizes).attention, "sm90", "bf16", { batch: 2, length }, 0).milliseconds;

describe("expected times", () => {
  it("count the blocks that a mask shows", () => {
    // 4 · batch · heads · d · length² operations at 560 TFLOP/s.
    const dense = (4 * 2 * 4 * 64 * 8192 ** 2) / 560e9;
    expect(at("full", 8192) / dense).toBeCloseTo(1 - 0.5 / 64, 2);
    expect(at("causal", 8192) / dense).toBeCloseTo(0.5, 2);
    expect(at("window:1024", 8192) / dense).toBeCloseTo((8.5 * 64 - 36) / 64 ** 2, 2);
    // Rows of blocks are sampled: eight times the length, eight times the window's work.
    expect(at("window:1024", 65_536) / at("window:1024", 8192)).toBeGreaterThan(7);
    expect(at("window:1024", 65_536) / at("window:1024", 8192)).toBeLessThan(10);
  });

  it("take every pair for visible where a mask reads data, and say so", () => {
    const { attention } = attentionCase("documents", sizes);
    const { basis, milliseconds } = expectedTime(attention, "sm90", "bf16", { batch: 2, length: 8192 }, 1);
    expect(basis).toContain("reads data");
    expect(milliseconds).toBeCloseTo(at("full", 8192) / (1 - 0.5 / 64) + 0.004, 2);
  });

  it("go by the bytes of keys and values where few queries are asked", () => {
    const { attention } = attentionCase("causal", sizes);
    const run = { batch: 1, length: 1_000_000 };
    expect(expectedTime(attention, "decode", "bf16", run, 0).milliseconds).toBeCloseTo(
      (1e6 * 2 * 128 * 2) / 2.4e9,
      6,
    );
  });
});

describe("the report of ptxas", () => {
  it("gives registers and spills, or nothing", () => {
    const log =
      "    0 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads\nptxas info : Used 168 registers, used 4 barriers\n";
    expect(resourcesIn(log)).toEqual({ registers: 168, spillBytes: 28 });
    expect(resourcesIn("nothing")).toBeNull();
  });
});
