/** Compiles CUDA sources with nvcc, many to a file, for tests that read what ptxas says of each. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CudaSource } from "../../runtime/device/cuda/launch.ts";

const has = (program: string): boolean => spawnSync(program, ["--version"]).status === 0;
export const hasNvcc = has("nvcc");
export const hasDisassembler = hasNvcc && has("cuobjdump");

/** Sources in a file: each costs nvcc half a second of its own, spent on CUDA's headers. */
const mostOfFile = 24;

/** What a program prints, on both streams. */
function printed(program: string, args: readonly string[]): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(program, args);
    let text = "";
    child.stdout.on("data", (part: Buffer) => (text += part.toString()));
    child.stderr.on("data", (part: Buffer) => (text += part.toString()));
    child.on("error", fail);
    child.on("close", () => done(text));
  });
}

/** The n-th source of a file: names and macros are its own, the kernel's name ends in its number, and so does the file that messages name. */
function partOf({ text, entry }: CudaSource, n: number): string {
  // The warpgroup that loads may spill a little, which costs nothing: with more registers, what is left is of the others.
  const roomy = text.replace(/setmaxnreg\.dec\.sync\.aligned\.u32 \d+/, "setmaxnreg.dec.sync.aligned.u32 96");
  const own = roomy.replaceAll(new RegExp(`\\b${entry}\\b`, "g"), `${entry}_${n}`);
  const macros = new Set([...own.matchAll(/^#define (\w+)/gm)].map(([, name]) => name!));
  const forgotten = [...macros].map((name) => `#undef ${name}\n`).join("");
  return `namespace part_${n} {\n#line 1 "kernel_${n}.cu"\n${own}\n}\n${forgotten}`;
}

/** What a log says of each of so many parts; what it says of none is said of all. */
function logsOf(log: string, parts: number): readonly string[] {
  const logs: string[] = Array(parts).fill("");
  let of: number | null = null;
  for (const line of log.split("\n")) {
    const number = /_(\d+)'|\bkernel_(\d+)\.cu\b/.exec(line);
    if (number !== null) of = Number(number[1] ?? number[2]);
    if (of === null) logs.forEach((own, n) => (logs[n] = `${own}${line}\n`));
    else logs[of] += `${line}\n`;
  }
  return logs;
}

/** The machine code's text of each of so many parts. */
function assembliesOf(text: string, parts: number): readonly string[] {
  const own: string[] = Array(parts).fill("");
  for (const part of text.split(/^\s*Function : /m).slice(1))
    own[Number(/^\w+_(\d+)$/m.exec(part)![1])] = part;
  return own;
}

/** What was made of one source. */
export interface Compiled {
  readonly log: string;
  /** Its instructions; empty when they were not asked for or cannot be read. */
  readonly assembly: string;
}

async function compileFile(
  file: string,
  sources: readonly CudaSource[],
  disassembled: boolean,
): Promise<readonly Compiled[]> {
  writeFileSync(`${file}.cu`, sources.map(partOf).join(""));
  const target = sources[0]!.architecture;
  const code = `-gencode=arch=${target.replace("sm", "compute")},code=${target}`;
  // Constants that only some kernels read are no mistake.
  const options = [code, "-diag-suppress=177", "-cubin", "-Xptxas", "-v"];
  const log = await printed("nvcc", [...options, "-o", `${file}.cubin`, `${file}.cu`]);
  const text =
    disassembled && hasDisassembler ? await printed("cuobjdump", ["--dump-sass", `${file}.cubin`]) : "";
  const assemblies = assembliesOf(text, sources.length);
  return logsOf(log, sources.length).map((own, n) => ({ log: own, assembly: assemblies[n]! }));
}

/** Compiles all sources, two files at a time, and hands what was made of each to `check`. */
export async function compileAll<S extends { readonly source: CudaSource }>(
  sources: Iterable<S>,
  check: (of: S, made: Compiled) => void,
  { disassembled = false } = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "lctx-nvcc-"));
  const all = [...sources];
  const targets = new Set(all.map(({ source }) => source.architecture));
  const files = [...targets].flatMap((target) => {
    const own = all.filter(({ source }) => source.architecture === target);
    const count = Math.ceil(own.length / mostOfFile);
    return Array.from({ length: count }, (_, n) => own.filter((_own, at) => at % count === n));
  });
  const left = files.entries();
  const work = async (): Promise<void> => {
    for (const [n, of] of left) {
      const file = join(folder, `kernels${n}`);
      const made = await compileFile(
        file,
        of.map(({ source }) => source),
        disassembled,
      );
      of.forEach((own, at) => check(own, made[at]!));
    }
  };
  try {
    await Promise.all([work(), work()]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
