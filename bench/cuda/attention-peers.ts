/** Runs the peers' script (PyTorch: FlexAttention, cuDNN) in a process of its own and reads its JSON lines as they come. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Measured } from "./attention-table.ts";

/** The peers' names for the cases of lctx. */
const names: Readonly<Record<string, string>> = {
  causal_d64: "causal",
  gqa4_causal: "causal",
  window1024: "window:1024",
  lambda4096_4: "sinks:4096",
  prefix_lm: "prefix:2048",
  document1024: "documents",
  alibi_causal: "slopes",
  softcap_causal: "capped",
  blocksparse90_32k: "blocks:256",
};

interface PeerLine {
  readonly peer: string;
  readonly case: string;
  readonly B: number;
  readonly H: number;
  readonly Hk?: number;
  readonly N: number;
  readonly D: number;
  readonly fwd_ms?: number;
  readonly bwd_ms?: number;
  readonly fwd_tflops?: number;
  readonly bwd_tflops?: number;
}

function measuredOf(line: PeerLine): Measured | null {
  const { fwd_ms, bwd_ms } = line;
  if (fwd_ms === undefined || bwd_ms === undefined) return null;
  const peer = line.peer === "flex" ? "flex" : line.peer.includes("CUDNN") ? "cudnn" : "flash2";
  return {
    ...line,
    peer,
    name: names[line.case] ?? line.case,
    batch: line.B,
    heads: line.H,
    groups: line.Hk ?? line.H,
    length: line.N,
    d: line.D,
    ...(line.case.startsWith("blocksparse") ? { kept: 0.1 } : {}),
    fwd_ms,
    bwd_ms,
  };
}

export interface Peers {
  readonly peers: readonly Measured[];
  /** Why some or all are missing; null when the script came to its end. */
  readonly problem: string | null;
}

/** The peers of the attention bench, ended after so many seconds. */
export async function runPeers(seconds: number): Promise<Peers> {
  const { lines, problem } = await runPeerLines(seconds, "attention");
  const peers = lines.map((line) => measuredOf(line as PeerLine)).filter((each) => each !== null);
  return { peers, problem };
}

/** Runs bench/peers/`name`.py and ends it after so many seconds; what it printed until then counts. */
export async function runPeerLines(
  seconds: number,
  name: string,
): Promise<{ readonly lines: readonly unknown[]; readonly problem: string | null }> {
  const script = [
    join(import.meta.dirname, `peers-${name}.py`),
    join(import.meta.dirname, `../peers/${name}.py`),
  ].find(existsSync);
  const torch = spawnSync("python3", ["-c", "import torch"], { stdio: "ignore" });
  if (script === undefined) return { lines: [], problem: "not run: their script is not here" };
  if (torch.status !== 0) return { lines: [], problem: "not run: python3 has no PyTorch here" };
  return new Promise((done) => {
    const child = spawn("python3", [script], { stdio: ["ignore", "pipe", "pipe"] });
    let [out, errors, late] = ["", "", false];
    const timer = setTimeout(
      () => {
        late = true;
        child.kill();
      },
      1000 * Math.max(1, seconds),
    );
    child.stdout.on("data", (part: Buffer) => (out += part.toString()));
    child.stderr.on("data", (part: Buffer) => (errors = (errors + part.toString()).slice(-2000)));
    child.on("close", (status) => {
      clearTimeout(timer);
      const whole = out.slice(0, out.lastIndexOf("\n") + 1).split("\n");
      const lines = whole.filter((line) => line.startsWith("{")).map((line): unknown => JSON.parse(line));
      const failed = status === 0 ? null : `their script ended with ${status}: ${errors.trim().slice(-300)}`;
      done({ lines, problem: late ? "their script was ended: the budget is spent" : failed });
    });
  });
}
