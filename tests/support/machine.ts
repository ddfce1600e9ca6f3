/** What a recorded figure was measured on. */
import { execFileSync } from "node:child_process";
import { arch, availableParallelism, cpus, platform, release } from "node:os";

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  readonly compiler: string;
}

export const machine = (): Machine => ({
  processor: cpus()[0]!.model,
  cores: availableParallelism(),
  system: `${platform()} ${release()} ${arch()}`,
  node: process.version,
  compiler: execFileSync(process.env["CC"] ?? "cc", ["--version"], { encoding: "utf8" }).split("\n")[0]!,
});
