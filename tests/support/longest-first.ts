/** The order of test files: those that take longest first, so that no core waits for the last one. */
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** By how long they take; all others come after, in the order that vitest gives them. */
const long = [
  "tests/cli/routed.test.ts",
  "tests/cuda/stdlib-compile.test.ts",
  "tests/cuda/selections.test.ts",
  "tests/cli/verbs.test.ts",
  "tests/methods/routed.test.ts",
  "tests/cuda/folds.test.ts",
  "tests/conformance/attention-weights.test.ts",
  "tests/methods/patterns.test.ts",
  "tests/cli/runs.test.ts",
  "tests/conformance/attention-wasm.test.ts",
  "tests/conformance/selections.test.ts",
  "tests/training/kill-resume/kill-resume.test.ts",
  "tests/device/memory.test.ts",
  "tests/cuda/program-nodes.test.ts",
  "tests/methods/attention.test.ts",
  "tests/schedule/native.test.ts",
  "tests/tfjs/conformance-wasm.test.ts",
  "tests/tfjs/conformance-cpu.test.ts",
  "tests/conformance/attention-second-half.test.ts",
  "tests/conformance/attention-first-half.test.ts",
  "tests/training/examples.test.ts",
  "tests/cuda/selections-compile.test.ts",
  "tests/cuda/sm90.test.ts",
  "tests/cuda/named-specs.test.ts",
  "tests/cuda/sm90-host.test.ts",
  "tests/cuda/sm80.test.ts",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification): number => {
      // Between the others, one with a process of its own would end a process that they share.
      if (project.config.isolate) return -1;
      const at = long.indexOf(relative(process.cwd(), moduleId).replaceAll("\\", "/"));
      return at < 0 ? long.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
