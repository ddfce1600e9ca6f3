import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./tests/support/longest-first.ts";

/** Tests that put other modules in place of some or load them anew, so each needs a process of its own. */
const alone = [
  "tests/check/many-mistakes.test.ts",
  "tests/device/cache.test.ts",
  "tests/device/open.test.ts",
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
      // Loading the compiler and compiling for WebAssembly take seconds: a process does so once for all its files.
      {
        extends: true,
        test: { name: "all", include: ["tests/**/*.test.ts"], exclude: alone, isolate: false },
      },
      { extends: true, test: { name: "alone", include: alone } },
    ],
  },
});
