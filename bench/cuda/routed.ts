/**
 * Attentions that choose their keys, from spec to result, on one GPU, bf16, head size 128, one row of text:
 * `routed [--json] [--lines file] [--budget 230] [--only seer,slash,blocks] [--no-peers] [--check]`. A learned gate over
 * blocks of 32,768 tokens with 90 % of tiles skipped; columns and diagonals that the last rows choose, of 131,072 and
 * 1,048,576 tokens; blocks by bounds of their keys, forward and backward, of 16,384. Times are medians of device events
 * of launches that are started together: routing, attention, both; beside own dense attention and, where `python3` has
 * PyTorch, beside its flash and cuDNN attention. With `--check` small texts are compared with the interpreter instead.
 */
import { appendFileSync } from "node:fs";
import { openCuda, type CudaDevice } from "../../runtime/device/cuda/device.ts";
import { argument, flag, Report, short, word } from "../report.ts";
import { runPeerLines } from "./attention-peers.ts";
import { checkRouted } from "./routed-check.ts";
import { benchBlocks, benchSeer, benchSlash, type Routed } from "./routed-cases.ts";

interface PeerLine {
  readonly peer: string;
  readonly H: number;
  readonly N: number;
  readonly fwd_ms?: number;
  readonly bwd_ms?: number | null;
}

const began = performance.now();
const budget = argument("budget", 230);
const left = (): number => budget - (performance.now() - began) / 1000;
const wanted = word("only")?.split(",") ?? null;
const lines = word("lines");

/** Name, rough seconds that it takes, and how. */
const cases: readonly (readonly [string, number, (device: CudaDevice) => Promise<Routed>])[] = [
  ["seer", 15, (device) => benchSeer(device, 128)],
  ["seer", 15, (device) => benchSeer(device, 64)],
  ["blocks", 15, (device) => benchBlocks(device)],
  ["slash", 20, (device) => benchSlash(device, 131_072)],
  ["slash", 60, (device) => benchSlash(device, 1_048_576)],
];

function ratios(own: Routed, peers: readonly PeerLine[]): string {
  const total = own.routing_ms + own.forward_ms + (own.backward_ms ?? 0);
  const of = (peer: string): string => {
    const line = peers.find((each) => each.peer === peer && each.H === own.heads && each.N === own.length);
    if (line?.fwd_ms === undefined) return "-";
    const time = line.fwd_ms + (own.backward_ms === undefined ? 0 : (line.bwd_ms ?? NaN));
    return (time / own.total_ms).toFixed(2);
  };
  const dense = own.dense_forward_ms + (own.dense_backward_ms ?? 0);
  return (
    `${own.name.padEnd(34)} ${short(own.total_ms)} ms, routing ${short((100 * own.routing_ms) / total)} %: ` +
    `${(dense / own.total_ms).toFixed(2)} × own dense, ${of("flash2")} × flash, ${of("cudnn")} × cuDNN`
  );
}

try {
  const device = await openCuda({ cacheFolder: process.env["LCTX_CACHE"] ?? null });
  const report = new Report("cuda-routed", 1, device.description);
  const tell = (what: string, fields: object): void => {
    report.record(what, fields as Record<string, unknown>);
    const line = JSON.stringify({ bench: "cuda-routed", what, ...fields, device: device.description });
    if (lines !== null) appendFileSync(lines, `${line}\n`);
  };
  if (flag("check")) {
    const wrong = await checkRouted(device, (text) => report.text(text));
    tell("check", { wrong });
    if (wrong.length > 0) process.exitCode = 1;
    report.text(wrong.length === 0 ? "all agree with the interpreter" : wrong.join("\n"));
    device.close();
  } else {
    const found: Routed[] = [];
    for (const [name, seconds, run] of cases) {
      if (wanted !== null && !wanted.includes(name)) continue;
      if (left() < seconds) {
        tell("not run", { case: name, why: `the budget of ${budget} s is spent` });
        report.text(`${name} not run: the budget of ${budget} s is spent`);
        continue;
      }
      const result = await run(device);
      found.push(result);
      tell("case", result);
      report.text(JSON.stringify(result));
      if ((result.wrong ?? []).length > 0) process.exitCode = 1;
    }
    device.close();
    const { lines: peers, problem } = flag("no-peers")
      ? { lines: [], problem: "not asked for" }
      : await runPeerLines(left(), "routed");
    for (const peer of peers) tell("peer", peer as object);
    if (problem !== null) tell("peers", { problem });
    for (const own of found) report.text(ratios(own, peers as PeerLine[]));
    if (problem !== null) report.text(`peers: ${problem}`);
  }
} catch (error) {
  console.error(`not run: ${(error as Error).stack}`);
  process.exitCode = 5;
}
