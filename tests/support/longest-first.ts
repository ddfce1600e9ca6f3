/** The order of test files: those that take longest first, so that no core waits for the last one. */
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** By how long they take; all others come after, in the order that vitest gives them. */
const long = [
  "tests/conformance/attention-first-half.test.ts",
  "tests/conformance/attention-second-half.test.ts",
  "tests/conformance/attention-wasm.test.ts",
  "tests/conformance/routings.test.ts",
  "tests/cuda/stdlib-compile.test.ts",
  "tests/conformance/attention-weights.test.ts",
  "tests/cli/routed.test.ts",
  "tests/conformance/texts.test.ts",
  "tests/cuda/folds.test.ts",
  "tests/conformance/attention-probes.test.ts",
  "tests/conformance/nodes.test.ts",
  "tests/conformance/selections.test.ts",
  "tests/conformance/programs.test.ts",
  "tests/model/hf-kernels.test.ts",
  "tests/schedule/native.test.ts",
  "tests/device/pool.test.ts",
  "tests/property/gradients.test.ts",
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
