/** One folder of compiled kernels for a run of the tests, so that files share what they have in common; removed at the end. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where a test's device keeps kernels; null outside a run of the tests. */
export const kernelCache = (): string | null => process.env["LCTX_TEST_KERNELS"] ?? null;

/** A C compiler that optimizes less and so takes two thirds of the time; null outside a run of the tests. */
export const quickCompiler = (): string | null => {
  const folder = kernelCache();
  return folder === null ? null : join(folder, "quick-cc");
};

/** Called by vitest before the first file, in the process whose environment the workers get. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "lctx-test-kernels-"));
  process.env["LCTX_TEST_KERNELS"] = folder;
  // The last level counts. Products and sums are still one instruction where they are at the level before.
  const levels = "-O1 -fexpensive-optimizations";
  const command = process.env["CC"]?.trim() || "cc";
  writeFileSync(join(folder, "quick-cc"), `#!/bin/sh\nexec ${command} "$@" ${levels}\n`, { mode: 0o755 });
  return () => rmSync(folder, { recursive: true, force: true });
}
