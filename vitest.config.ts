import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./tests/support/longest-first.ts";

/** Tests that compile WebAssembly: one process holds the compiler for all of them, as loading it takes seconds. */
const wasm = [
  "tests/conformance/attention-probes.test.ts",
  "tests/conformance/attention-wasm.test.ts",
  "tests/conformance/nodes.test.ts",
  "tests/conformance/selections.test.ts",
  "tests/device/cache.test.ts",
  "tests/device/gemm.test.ts",
  "tests/device/memory.test.ts",
  "tests/device/pool.test.ts",
];

export default defineConfig({
  test: {
    pool: "forks",
    // The default leaves one core idle.
    maxWorkers: availableParallelism(),
    testTimeout: 120_000,
    hookTimeout: 120_000,
    globalSetup: ["tests/support/build-once.ts", "tests/support/kernel-cache.ts"],
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: "wasm", include: wasm, isolate: false } },
      { extends: true, test: { name: "all", include: ["tests/**/*.test.ts"], exclude: wasm } },
    ],
  },
});
