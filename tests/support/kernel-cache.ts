/** One folder of compiled kernels for a run of the tests, so that files share what they have in common; removed at the end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where a test's device keeps kernels; null outside a run of the tests. */
export const kernelCache = (): string | null => process.env["LCTX_TEST_KERNELS"] ?? null;

/** Called by vitest before the first file, in the process whose environment the workers get. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "lctx-test-kernels-"));
  process.env["LCTX_TEST_KERNELS"] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
