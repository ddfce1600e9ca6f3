/** Finds the machine's C compiler and compiles kernel sources to shared libraries, kept in a cache on disk. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { LctxError } from "../../errors.ts";
import type { KernelSources } from "../device.ts";

export interface Compiler {
  readonly command: string;
  /** For people: compiler, version, what it compiles for. */
  readonly description: string;
  /** Everything that decides what a source compiles to. */
  readonly key: string;
  /** A library with memory functions only. */
  readonly supportLibrary: string;
}

const flags = [
  "-std=gnu11",
  "-O2",
  "-march=native",
  "-ffp-contract=fast",
  "-fno-math-errno",
  "-fno-trapping-math",
  "-fPIC",
] as const;

const linkFlags: readonly string[] =
  process.platform === "darwin"
    ? ["-dynamiclib"]
    : // Worker threads may outlive the handle: a library that is unmapped under them ends the process.
      ["-shared", "-Wl,-z,nodelete"];

interface Finished {
  readonly code: number;
  readonly output: string;
}

function execute(command: string, args: readonly string[]): Promise<Finished | null> {
  return new Promise((done) => {
    execFile(
      command,
      [...args],
      { encoding: "utf8", timeout: 120_000, maxBuffer: 1 << 24 },
      (error, out, err) => {
        const failure = error as (NodeJS.ErrnoException & { code?: string | number }) | null;
        if (failure !== null && typeof failure.code === "string") done(null);
        else
          done({
            code: failure === null ? 0 : Number(failure.code ?? 1) || 1,
            output: `${out}${err}`.trim(),
          });
      },
    );
  });
}

const hash = (parts: readonly string[]): string => {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(`${part.length}:`).update(part);
  return sum.digest("hex").slice(0, 32);
};

/** What `-march=native` means here: objects are of no use on another processor. */
function processorKey(): string {
  try {
    const text = readFileSync("/proc/cpuinfo", "utf8");
    return [/^model name.*$/m, /^flags.*$/m, /^Features.*$/m]
      .map((pattern) => pattern.exec(text)?.[0] ?? "")
      .join("\n");
  } catch {
    return `${process.arch} ${cpus()[0]?.model ?? ""}`;
  }
}

function scratchFolder(cacheFolder: string | null): string {
  if (cacheFolder === null) return mkdtempSync(join(tmpdir(), "lctx-"));
  const folder = join(cacheFolder, "native");
  mkdirSync(folder, { recursive: true });
  return mkdtempSync(join(folder, ".making-"));
}

/** Ends of libraries, checked before one is loaded: a file cut short would end the process. */
function isWhole(path: string): boolean {
  try {
    const sum = readFileSync(`${path}.sum`, "utf8");
    return createHash("sha256").update(readFileSync(path)).digest("hex") === sum.trim();
  } catch {
    return false;
  }
}

function publish(made: string, path: string): void {
  const sum = createHash("sha256").update(readFileSync(made)).digest("hex");
  writeFileSync(`${made}.sum`, sum);
  renameSync(`${made}.sum`, `${path}.sum`);
  renameSync(made, path);
}

/** Compiles files to objects, side by side, and links them. */
async function build(
  command: string,
  key: string,
  files: Readonly<Record<string, string>>,
  cacheFolder: string | null,
): Promise<string> {
  const headers = Object.entries(files).filter(([name]) => name.endsWith(".h"));
  const units = Object.entries(files).filter(([name]) => name.endsWith(".c"));
  const id = hash([key, ...linkFlags, ...Object.entries(files).sort().flat()]);
  const extension = process.platform === "darwin" ? "dylib" : "so";
  const kept = cacheFolder === null ? null : join(cacheFolder, "native", `${id}.${extension}`);
  if (kept !== null && isWhole(kept)) return kept;
  const folder = scratchFolder(cacheFolder);
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const objects = await Promise.all(
      units.map(async ([name, text]) => {
        const object = join(folder, `${name}.o`);
        // Objects of sources that many programs share are kept on their own.
        const objectId = hash([key, text, ...headers.flat()]);
        const keptObject = cacheFolder === null ? null : join(cacheFolder, "native", `${objectId}.o`);
        if (keptObject !== null && isWhole(keptObject)) return keptObject;
        const result = await execute(command, [...flags, "-c", join(folder, name), "-o", object]);
        if (result === null || result.code !== 0)
          throw new LctxError(
            "kernel-compile",
            `${command} could not compile ${name}: ${(result?.output ?? "it cannot be run").replaceAll(`${folder}/`, "").split("\n").slice(0, 8).join("\n")}`,
            "this is a bug in lctx; please report it with the spec. --device cpu-wasm may work",
          );
        if (keptObject !== null) {
          publish(object, keptObject);
          return keptObject;
        }
        return object;
      }),
    );
    const library = join(folder, `library.${extension}`);
    const linked = await execute(command, [...linkFlags, ...objects, "-o", library, "-lpthread", "-lm"]);
    if (linked === null || linked.code !== 0)
      throw new LctxError(
        "kernel-compile",
        `${command} could not link the kernels: ${linked?.output ?? "it cannot be run"}`,
        "check that the compiler's C library is installed (Debian: libc6-dev)",
      );
    if (kept === null) return library;
    publish(library, kept);
    return kept;
  } finally {
    if (cacheFolder !== null) rmSync(folder, { recursive: true, force: true });
  }
}

const names = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A function that gives the addresses of all entry points, in order. */
function entryTable(entries: readonly string[]): string {
  for (const entry of entries) if (!names.test(entry)) throw new Error(`"${entry}" is no entry point`);
  const declarations = entries.map(
    (entry) => `void ${entry}(void *const *, const int64_t *, const float *);\n`,
  );
  const list = [...entries.map((entry) => `(void *)${entry}`), "(void *)0"].join(",\n  ");
  return `#include "lctx.h"\n${declarations.join("")}static void *const table[] = {\n  ${list}};\nconst void *lctx_entries(void) { return table; }\n`;
}

/** Path of a library with the sources' kernels. Throws LctxError `kernel-compile`. */
export function compileLibrary(
  compiler: Compiler,
  sources: KernelSources,
  cacheFolder: string | null,
): Promise<string> {
  const files = { ...sources.files, "entries.c": entryTable(sources.entries) };
  return build(compiler.command, compiler.key, files, cacheFolder);
}

/** Functions that are needed before there are kernels; the kernels' libraries bring their own copies. */
const supportOnly = `#include "lctx.h"
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif
void *lctx_allocate(int64_t bytes) {
  void *memory = NULL;
  int64_t align = bytes >= 4 << 20 ? 2 << 20 : 64;
  int64_t whole = bytes > 0 ? (bytes + align - 1) / align * align : align;
  if (posix_memalign(&memory, (size_t)align, (size_t)whole)) return NULL;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (align > 64) madvise(memory, (size_t)whole, MADV_HUGEPAGE);
#endif
  memset(memory, 0, (size_t)whole);
  return memory;
}
void lctx_free(void *memory) { free(memory); }
int64_t lctx_start(int64_t threads) { return threads; }
void lctx_stop(void) {}
void lctx_run(const void *table, int64_t count) { (void)table, (void)count; }
const void *lctx_entries(void) { return NULL; }
`;

let found: Promise<Compiler> | null = null;

/** The first of $CC, cc, gcc, clang that makes a library which loads. Throws LctxError `no-compiler`. */
export function findCompiler(cacheFolder: string | null): Promise<Compiler> {
  found ??= search(cacheFolder).catch((error: unknown) => {
    found = null;
    throw error;
  });
  return found;
}

async function search(cacheFolder: string | null): Promise<Compiler> {
  const asked = process.env["CC"];
  const tried: string[] = [];
  for (const command of asked ? [asked] : ["cc", "gcc", "clang"]) {
    const version = await execute(command, ["--version"]);
    if (version === null || version.code !== 0) {
      tried.push(command);
      continue;
    }
    const firstLine = version.output.split("\n")[0]!;
    const key = [firstLine, ...flags, processorKey()].join("\n");
    try {
      const files = { "lctx.h": "#include <stdint.h>\n#include <stddef.h>\n", "support.c": supportOnly };
      const supportLibrary = await build(command, key, files, cacheFolder);
      if (!existsSync(supportLibrary)) throw new Error("no library was made");
      return { command, key, supportLibrary, description: `${firstLine} for ${processorName()}` };
    } catch (error) {
      tried.push(`${command} (${(error as Error).message.split("\n")[0]})`);
    }
  }
  throw new LctxError(
    "no-compiler",
    `no C compiler works here (tried ${tried.join(", ")})`,
    "install gcc or clang, set CC, or use --device cpu-wasm with the package @yowasp/clang",
  );
}

function processorName(): string {
  const key = ` ${processorKey()} `;
  if (key.includes(" avx512f ")) return "AVX-512";
  if (key.includes(" avx2 ")) return "AVX2";
  return process.arch;
}
