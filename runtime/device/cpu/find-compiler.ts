/** Finds a C compiler on this machine that makes libraries which load, and how to call it. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { LctxError } from "../../errors.ts";
import { execute, libraryExtension, linkFlags } from "./execute.ts";
import { keyOf, type KernelCache } from "./kernel-cache.ts";

export interface Compiler {
  /** The program and the arguments that come first: `zig cc` is two words. */
  readonly command: readonly [string, ...string[]];
  readonly flags: readonly string[];
  /** For people: compiler, version, what it compiles for. */
  readonly description: string;
  /** Everything that decides what a source compiles to. */
  readonly key: string;
}

/** -O3 was no faster on these kernels and takes twice as long. */
const commonFlags = [
  "-std=gnu11",
  "-O2",
  "-ffp-contract=fast",
  "-fno-math-errno",
  "-fno-trapping-math",
  "-fPIC",
] as const;

/** How compilers are told to use all that this processor has; the last knows of none. */
const machineFlags = [["-march=native"], ["-mcpu=native"], []] as const;

/** What `native` means here: objects are of no use on another processor. */
function processorKey(): string {
  try {
    const text = readFileSync("/proc/cpuinfo", "utf8");
    return [/^model name.*$/m, /^flags.*$/m, /^Features.*$/m, /^CPU part.*$/m]
      .map((pattern) => pattern.exec(text)?.[0] ?? "")
      .join("\n");
  } catch {
    return `${process.arch} ${cpus()[0]?.model ?? ""}`;
  }
}

/** The widest vectors that compiled code uses, as compilers themselves say. */
const vectorNames = [
  ["__AVX512F__", "AVX-512"],
  ["__AVX2__", "AVX2"],
  ["__AVX__", "AVX"],
  ["__ARM_NEON", "Neon"],
] as const;

/** Memory of the device: needed before there are kernels. */
export const memorySource = `#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <sys/mman.h>
#define HUGE_PAGE ((size_t)2 << 20)
#define PAGE 4096

static size_t whole(int64_t bytes, size_t align) {
  size_t asked = bytes > 0 ? (size_t)bytes : 1;
  return (asked + align - 1) / align * align;
}

typedef struct { void *memory; size_t size; } Block;

#if defined(MADV_POPULATE_WRITE)
/* Puts pages there and writes nothing, so it may run while others write, and does no harm after lctx_free. */
static void *populate(void *given) {
  Block *block = given;
  madvise(block->memory, block->size, MADV_POPULATE_WRITE);
  free(block);
  return NULL;
}

/* Begins to put pages there; 0 when this system cannot. */
static int begin_populate(void *memory, size_t size) {
  if (madvise(memory, 0, MADV_POPULATE_WRITE)) return 0;
  Block *block = malloc(sizeof *block);
  pthread_t thread;
  if (!block) return 0;
  *block = (Block){memory, size};
  if (pthread_create(&thread, NULL, populate, block)) {
    free(block);
    return 0;
  }
  pthread_detach(thread);
  return 1;
}
#else
static int begin_populate(void *memory, size_t size) { return 0; }
#endif

static int is_large(int64_t bytes) { return bytes >= (int64_t)(2 * HUGE_PAGE); }

/* Zero-filled and aligned to 64 bytes; large blocks are aligned to huge pages and ask for them. NULL when refused. */
void *lctx_allocate(int64_t bytes) {
  if (!is_large(bytes)) {
    void *memory = NULL;
    size_t size = whole(bytes, 64);
    if (posix_memalign(&memory, 64, size)) return NULL;
    return memset(memory, 0, size);
  }
  size_t size = whole(bytes, HUGE_PAGE);
  char *mapped = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (mapped == MAP_FAILED) return NULL;
  size_t before = (HUGE_PAGE - (uintptr_t)mapped % HUGE_PAGE) % HUGE_PAGE;
  if (before) munmap(mapped, before);
  munmap(mapped + before + size, HUGE_PAGE - before);
  char *memory = mapped + before;
#if defined(MADV_HUGEPAGE)
  madvise(memory, size, MADV_HUGEPAGE);
#endif
  /* Touched from now on: memory that is not there should be missed here and not in the middle of a run. */
  if (begin_populate(memory, size)) return memory;
  for (size_t at = 0; at < size; at += PAGE) *(volatile char *)(memory + at) = 0;
  return memory;
}

void lctx_free(void *memory, int64_t bytes) {
  if (is_large(bytes)) munmap(memory, whole(bytes, HUGE_PAGE));
  else free(memory);
}

const char *lctx_vectors(void) {
${vectorNames.map(([macro, name]) => `#if defined(${macro})\n  return "${name}";\n#endif`).join("\n")}
  return "128-bit vectors";
}
`;

/** `CC` as words, unless all of it is the name of a file. */
function askedCompilers(): readonly [string, ...string[]][] {
  const asked = process.env["CC"]?.trim();
  if (!asked) return [["cc"], ["gcc"], ["clang"]];
  if (existsSync(asked)) return [[asked]];
  return [asked.split(/\s+/) as [string, ...string[]]];
}

/** What a found compiler made: the library with the memory functions; `release` when it is loaded. */
export interface FoundCompiler {
  readonly compiler: Compiler;
  readonly memoryLibrary: string;
  readonly release: () => void;
}

async function makeMemoryLibrary(
  compiler: Compiler,
  cache: KernelCache,
): Promise<{ path: string; release: () => void } | string> {
  const name = `${keyOf([compiler.key, memorySource])}.${libraryExtension}`;
  const kept = cache.find(name);
  if (kept !== null) return { path: kept, release: () => undefined };
  const folder = cache.workFolder();
  const release = (): void => rmSync(folder, { recursive: true, force: true });
  const [source, made] = [join(folder, "memory.c"), join(folder, `memory.${libraryExtension}`)];
  writeFileSync(source, memorySource);
  const [program, ...first] = compiler.command;
  const result = await execute(program, [
    ...first,
    ...compiler.flags,
    ...linkFlags,
    source,
    "-o",
    made,
    "-lpthread",
  ]);
  if (result.code === 0 && existsSync(made)) return { path: cache.keep(name, made), release };
  release();
  return result.output.split("\n")[0] || `exit code ${result.code}`;
}

/** The first of $CC, else of cc, gcc and clang, that makes a library. Throws LctxError `no-compiler`. */
export async function findCompiler(cache: KernelCache): Promise<FoundCompiler> {
  const tried: string[] = [];
  for (const command of askedCompilers()) {
    const shown = command.join(" ");
    const version = await execute(command[0], [...command.slice(1), "--version"]);
    const firstLine = version.output.split("\n")[0] ?? "";
    if (version.code !== 0 || firstLine === "") {
      tried.push(shown);
      continue;
    }
    let refusal = "";
    for (const machine of machineFlags) {
      const flags = [...commonFlags, ...machine];
      const key = [shown, firstLine, ...flags, ...linkFlags, processorKey()].join("\n");
      const compiler = { command, flags, key, description: firstLine };
      const made = await makeMemoryLibrary(compiler, cache);
      if (typeof made !== "string") return { compiler, memoryLibrary: made.path, release: made.release };
      refusal ||= made;
    }
    tried.push(`${shown}: ${refusal}`);
  }
  throw new LctxError(
    "no-compiler",
    `no C compiler works here (tried ${tried.join(", ")})`,
    "install gcc or clang, set CC, or use --device cpu-wasm with the package @yowasp/clang",
  );
}
