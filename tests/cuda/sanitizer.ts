/**
 * Small specs of each path under compute-sanitizer: `sanitizer [--tools memcheck,racecheck] [--seconds 60] [--cache folder]`.
 * Prints one line a case and tool: "clean", the tool's first findings, or "not run" and why. Ends with 1 on a finding, with 2 when
 * something did not run. Needs `device-conformance` built beside it (or its text, with tsx).
 * Hopper's kernels are watched with every lane telling barriers: racecheck does not see that a warp met before one did.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    tools: { type: "string", default: "memcheck,racecheck" },
    seconds: { type: "string", default: "60" },
    cache: { type: "string" },
    sanitizer: { type: "string", default: "compute-sanitizer" },
  },
});
const built = join(import.meta.dirname, "device-conformance.mjs");
const program = existsSync(built)
  ? [built]
  : ["--import", "tsx", join(import.meta.dirname, "device-conformance.ts")];
const folder = values.cache ?? mkdtempSync(join(tmpdir(), "lctx-sanitizer-"));

/** Arguments of `device-conformance`: paths, elements and features that differ in how they touch memory. */
const cases: Readonly<Record<string, readonly string[]>> = {
  "sm_80 f32": ["--element", "f32", "--path", "sm80", "--count", "4", "--longest", "130"],
  "sm_80 bf16": ["--element", "bf16", "--path", "sm80", "--count", "4", "--longest", "130"],
  "sm_90a bf16": ["--element", "bf16", "--path", "sm90", "--count", "4", "--longest", "320"],
  "sm_90a f16": ["--element", "f16", "--path", "sm90", "--count", "2", "--longest", "320", "--seed", "5"],
  "sm_90a regions": ["--element", "bf16", "--path", "sm90", "--specs", "regions", "--count", "4"],
  "sm_90a sparse tables": ["--element", "bf16", "--path", "sm90", "--specs", "sparse", "--count", "3"],
  "decode bf16": ["--element", "bf16", "--path", "decode", "--count", "4", "--longest", "130"],
};

const node = (args: readonly string[]): readonly string[] => [
  process.execPath,
  ...program,
  ...args,
  "--every-lane",
  "--cache",
  folder,
];
const run = ([command, ...args]: readonly string[], seconds: number) =>
  spawnSync(command!, args, { encoding: "utf8", timeout: 1000 * seconds });

let status = 0;
const there = spawnSync(values.sanitizer, ["--version"], { encoding: "utf8" });
if (there.error !== undefined) {
  console.log(`not run: ${values.sanitizer} is not on the path`);
  process.exit(2);
}
console.log(there.stdout.trim().split("\n").at(-1));
for (const [name, args] of Object.entries(cases)) {
  // Without the tool first: it compiles the kernels, which the tool would slow down.
  const plain = run(node(args), Number(values.seconds));
  if (plain.status !== 0) {
    const said = plain.signal === null ? plain.stdout || plain.stderr : `longer than ${values.seconds} s`;
    console.log(`${name}: not run: without the tool already: ${said.trim().slice(-600)}`);
    status = 2;
    continue;
  }
  for (const tool of values.tools.split(",")) {
    const from = performance.now();
    const found = run(
      [values.sanitizer, "--tool", tool, "--error-exitcode", "9", "--print-limit", "5", ...node(args)],
      Number(values.seconds),
    );
    const text = `${found.stdout}\n${found.stderr}`;
    const took = `${Math.round((performance.now() - from) / 1000)} s`;
    // Its last line counts what it found; without that line it has not watched.
    const summary = /^=+ (ERROR SUMMARY: .*|RACECHECK SUMMARY: .*)$/m.exec(text)?.[1];
    const clean = found.status === 0 && summary !== undefined && /SUMMARY: 0 /.test(summary);
    if (clean) console.log(`${name}, ${tool}: clean (${took})`);
    else if (found.signal !== null || summary === undefined) {
      console.log(
        `${name}, ${tool}: not run: ${found.signal === null ? text.trim().slice(-600) : `longer than ${values.seconds} s`}`,
      );
      status = status === 1 ? 1 : 2;
    } else {
      const lines = text.split("\n").filter((line) => line.startsWith("="));
      console.log(`${name}, ${tool}: ${summary}\n${lines.slice(0, 24).join("\n")}`);
      status = 1;
    }
  }
}
if (values.cache === undefined) rmSync(folder, { recursive: true });
process.exitCode = status;
