/**
 * Random specs on a GPU in shares side by side, summed to one line a job:
 * `conformance-shares [--jobs bf16:sm90,f16:sm90,f32:sm80] [--count 1000] [--shares cores] [--seed 1] [--seconds 600]
 * [--variants 1] [--specs random|regions|weighted|known|sparse] [--twice] [--cache folder] [--compile sm_90] [--json file]`.
 * A job is an element and a path of `device-conformance`, of which it needs the built file beside it (or the text, with
 * tsx). Ends with 1 on a mismatch and 2 when a share did not finish its specs or failed: then the line says "not done".
 */
import { spawn } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "bf16:sm90,f16:sm90,f32:sm80,bf16:sm80,f16:sm80" },
    count: { type: "string", default: "1000" },
    shares: { type: "string", default: String(availableParallelism()) },
    seed: { type: "string", default: "1" },
    seconds: { type: "string", default: "600" },
    variants: { type: "string", default: "1" },
    specs: { type: "string", default: "random" },
    twice: { type: "boolean", default: false },
    cache: { type: "string" },
    compile: { type: "string" },
    json: { type: "string" },
  },
});
const built = join(import.meta.dirname, "device-conformance.mjs");
const program = existsSync(built)
  ? [built]
  : ["--import", "tsx", join(import.meta.dirname, "device-conformance.ts")];
const shares = Number(values.shares);

interface Share {
  readonly asked: number;
  readonly refused: number;
  readonly programs: number;
  readonly compared: number;
  readonly mismatches: number;
  readonly failures: readonly string[];
  readonly compiled?: number;
  readonly largestErrorAsShareOfAllowed: number;
  readonly device: string;
}

/** A share's line, or what it said instead. */
function runShare(share: number, element: string, path: string, seconds: number): Promise<Share | string> {
  const args = [
    ...["--element", element, "--path", path, "--share", `${share}/${shares}`],
    ...["--count", values.count, "--seed", values.seed, "--seconds", String(seconds)],
    ...["--variants", values.variants, "--specs", values.specs],
    ...(values.twice ? ["--twice"] : []),
    ...(values.cache === undefined ? [] : ["--cache", values.cache]),
    ...(values.compile === undefined ? [] : ["--compile", values.compile]),
  ];
  return new Promise((done) => {
    const child = spawn(process.execPath, [...program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let [out, errors] = ["", ""];
    child.stdout.on("data", (part: Buffer) => (out += part.toString()));
    child.stderr.on("data", (part: Buffer) => (errors += part.toString()));
    child.on("error", (error) => done(error.message));
    child.on("close", (status) => {
      const line = out.split("\n").find((text) => text.startsWith("{"));
      done(
        line === undefined
          ? `share ${share} ended with ${status}: ${errors.trim().slice(-600)}`
          : (JSON.parse(line) as Share),
      );
    });
  });
}

const began = performance.now();
const jobs = values.jobs.split(",").map((job) => job.split(":") as [string, string]);
let status = 0;
for (const [n, [element, path]] of jobs.entries()) {
  const from = performance.now();
  // What is left is shared out among the jobs that are left.
  const left = Number(values.seconds) - (from - began) / 1000;
  const seconds = Math.max(1, Math.floor(left / (jobs.length - n)));
  const all = await Promise.all(
    Array.from({ length: shares }, (_, share) => runShare(share, element, path, seconds)),
  );
  const lines = all.filter((each): each is Share => typeof each !== "string");
  const broken = all.filter((each): each is string => typeof each === "string");
  const sum = (of: (share: Share) => number): number => lines.reduce((total, each) => total + of(each), 0);
  const took = Math.round((performance.now() - from) / 1000);
  if (values.compile !== undefined) {
    console.log(`${element} ${path}: ${sum((each) => each.compiled ?? 0)} kernels compiled in ${took} s`);
    for (const text of broken) console.log(`  ${text}`);
    if (broken.length > 0) status = 2;
    continue;
  }
  const total = {
    element,
    path,
    specs: values.specs,
    seed: Number(values.seed),
    asked: sum((each) => each.asked),
    refused: sum((each) => each.refused),
    programs: sum((each) => each.programs),
    compared: sum((each) => each.compared),
    mismatches: sum((each) => each.mismatches),
    twice: values.twice,
    largestErrorAsShareOfAllowed: Math.max(0, ...lines.map((each) => each.largestErrorAsShareOfAllowed)),
    seconds: took,
    device: lines[0]?.device ?? "",
    failures: lines.flatMap(({ failures }) => failures),
    broken,
  };
  const done = broken.length === 0 && total.programs + total.refused === total.asked;
  console.log(
    `${element} ${path}: ${total.programs} of ${total.asked} specs (${total.refused} not taken), ${total.compared} comparisons, ` +
      `${total.mismatches} mismatches, at most ${total.largestErrorAsShareOfAllowed} of what is allowed, ${took} s${done ? "" : ", not done"}`,
  );
  for (const text of [...total.failures, ...broken]) console.log(`  ${text}`);
  if (values.json !== undefined) appendFileSync(values.json, `${JSON.stringify(total)}\n`);
  if (total.mismatches > 0) status = 1;
  else if (!done && status === 0) status = 2;
}
process.exitCode = status;
