/**
 * How long `lctx` makes people wait: `lctx check` beyond Node's own start, and a spec to its first training step with
 * nothing compiled (cold) and all compiled (warm). `npx tsx bench/startup.ts [--rounds N] [--threads N] [--wasm] [--json]`.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { argument, flag, median, Report } from "./report.ts";

const root = resolve(import.meta.dirname, "..");
const lctx = join(root, "bin/lctx.js");
const spec = join(root, "examples/moby-dick.lctx");
const rounds = argument("rounds", 5);
const threads = argument("threads", 0);
const report = new Report("startup", threads, `start-up, ${rounds} rounds, milliseconds`);

/** Milliseconds: by the clock, and of the processor, all threads. */
interface Time {
  readonly wall: number;
  readonly processor: number | null;
}

function timeProcess(args: readonly string[]): Time {
  const start = performance.now();
  const usage = ["--require", join(root, "bench/report-usage.cjs")];
  const { status, output } = spawnSync(process.execPath, [...usage, ...args], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const wall = performance.now() - start;
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${output[2]}`);
  return { wall, processor: Number(output[3]) };
}

/** Processor time of a process and of its ended children, compilers among them; null where /proc has none. */
function processorTime(pid: number): number | null {
  try {
    // The name, in parentheses, may hold spaces; fields 14 to 17 are in hundredths of a second.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * 10;
  } catch {
    return null;
  }
}

/** Time from the start of `lctx train` to the line that tells its first step. */
function timeFirstStep(device: string, cache: string): Promise<Time> {
  const run = mkdtempSync(join(tmpdir(), "lctx-first-step-"));
  const args = [lctx, "train", spec, "--steps", "1", "--run", join(run, "run"), "--device", device];
  const given = threads > 0 ? ["--threads", String(threads)] : [];
  return new Promise<Time>((done, fail) => {
    const start = performance.now();
    const child = spawn(process.execPath, [...args, "--log-format", "json", ...given], {
      cwd: root,
      env: { ...process.env, LCTX_CACHE: cache },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [told, errors] = ["", ""];
    let time: Time | null = null;
    child.stderr.on("data", (bytes) => (errors += String(bytes)));
    child.stdout.on("data", (bytes) => {
      told += String(bytes);
      if (time === null && told.includes('"kind":"step"'))
        time = { wall: performance.now() - start, processor: processorTime(child.pid!) };
    });
    child.on("close", (code) => {
      rmSync(run, { recursive: true, force: true });
      if (code === 0 && time !== null) done(time);
      else fail(new Error(`lctx train ended with ${code}: ${errors}`));
    });
  });
}

const middle = (times: readonly Time[]): Time => {
  const processor = times.map((time) => time.processor).filter((value) => value !== null);
  return {
    wall: median(times.map(({ wall }) => wall)),
    processor: processor.length === 0 ? null : median(processor),
  };
};

function tell(what: string, times: readonly Time[], beyond: Time | null = null): Time {
  const { wall, processor } = middle(times);
  const time = {
    wall: wall - (beyond?.wall ?? 0),
    processor: processor === null ? null : processor - (beyond?.processor ?? 0),
  };
  const best = Math.min(...times.map((each) => each.wall)) - (beyond?.wall ?? 0);
  const shown = (value: number | null): string => (value === null ? "-" : value.toFixed(0)).padStart(9);
  report.text(`${what.padEnd(44)}${shown(time.wall)}${shown(best)}${shown(time.processor)}`);
  report.record(what, { wall: time.wall, best, processor: time.processor, rounds: times.length });
  return time;
}

report.text(`${" ".repeat(44)}   median     best processor`);

const [plain, checks]: [Time[], Time[]] = [[], []];
// The two take turns, so that other work on the machine meets both.
for (let round = 0; round < rounds * 3; round++) {
  plain.push(timeProcess(["-e", "0"]));
  checks.push(timeProcess([lctx, "check", spec]));
}
const node = tell("node -e 0", plain);
tell("lctx check, beyond that", checks, {
  wall: node.wall,
  processor: node.processor,
});

for (const device of flag("wasm") ? ["cpu-wasm"] : ["cpu-native"]) {
  const [cold, warm]: [Time[], Time[]] = [[], []];
  try {
    for (let round = 0; round < rounds; round++) {
      const cache = mkdtempSync(join(tmpdir(), "lctx-cache-"));
      try {
        cold.push(await timeFirstStep(device, cache));
        warm.push(await timeFirstStep(device, cache));
      } finally {
        rmSync(cache, { recursive: true, force: true });
      }
    }
  } catch (error) {
    report.text(`${device}: not measured: ${(error as Error).message.split("\n")[0]}`);
    report.record(device, { problem: (error as Error).message });
    process.exitCode = 1;
    continue;
  }
  tell(`first training step, ${device}, cold`, cold);
  tell(`first training step, ${device}, warm`, warm);
}
