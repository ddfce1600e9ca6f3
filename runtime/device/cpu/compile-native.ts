/** Compiles kernel sources to a shared library: files side by side, each kept on its own, then linked. */
import { rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { LctxError } from "../../errors.ts";
import type { KernelSources } from "../device.ts";
import { execute, libraryExtension, linkFlags } from "./execute.ts";
import type { Compiler } from "./find-compiler.ts";
import { keyOf, type KernelCache } from "./kernel-cache.ts";

export interface BuiltLibrary {
  readonly path: string;
  /** Removes what need not stay once the library is loaded. */
  readonly release: () => void;
}

const names = /^[A-Za-z_][A-Za-z0-9_]*$/;
const fileNames = /^[A-Za-z0-9_-]+\.[ch]$/;

/** A function that gives the addresses of all entry points, in order. */
function entryTable(entries: readonly string[]): string {
  for (const entry of entries) if (!names.test(entry)) throw new Error(`"${entry}" is no entry point`);
  const declarations = entries.map(
    (entry) => `void ${entry}(void *const *, const int64_t *, const float *);\n`,
  );
  const list = [...entries.map((entry) => `(void *)${entry}`), "(void *)0"].join(",\n  ");
  return `#include "lctx.h"\n${declarations.join("")}static void *const table[] = {\n  ${list}};\nconst void *lctx_entries(void) { return table; }\n`;
}

/** A library with the sources' kernels and `lctx_entries`. Throws LctxError `kernel-compile`. */
export async function compileLibrary(
  { command, flags, key }: Compiler,
  sources: KernelSources,
  cache: KernelCache,
): Promise<BuiltLibrary> {
  const files = Object.entries({ ...sources.files, "entries.c": entryTable(sources.entries) }).sort();
  for (const [name] of files) if (!fileNames.test(name)) throw new Error(`"${name}" is no source file`);
  const headers = files.filter(([name]) => name.endsWith(".h"));
  const units = files.filter(([name]) => name.endsWith(".c"));
  const libraryName = `${keyOf([key, ...files.flat()])}.${libraryExtension}`;
  const kept = cache.find(libraryName);
  if (kept !== null) return { path: kept, release: () => undefined };

  const folder = cache.workFolder();
  const release = (): void => rmSync(folder, { recursive: true, force: true });
  const [program, ...first] = command;
  try {
    for (const [name, text] of files) writeFileSync(join(folder, name), text);
    // The longest first, so that none of them is begun last.
    const ordered = units.toSorted(([, a], [, b]) => b.length - a.length);
    const objects = await eachOf(ordered, availableParallelism(), async ([name, text]) => {
      // Programs share the support's objects.
      const objectName = `${keyOf([key, text, ...headers.flat()])}.o`;
      const keptObject = cache.find(objectName);
      if (keptObject !== null) return keptObject;
      const object = join(folder, `${name}.o`);
      const result = await execute(program, [...first, ...flags, "-c", join(folder, name), "-o", object]);
      if (result.code !== 0)
        throw new LctxError(
          "kernel-compile",
          `${command.join(" ")} could not compile ${name}: ${firstLines(result.output, folder)}`,
          "this is a bug in lctx; please report it with the spec. --device cpu-wasm may work",
        );
      return cache.keep(objectName, object);
    });
    const library = join(folder, libraryName);
    const linked = await execute(program, [
      ...first,
      ...linkFlags,
      ...objects,
      "-o",
      library,
      "-lpthread",
      "-lm",
    ]);
    if (linked.code !== 0)
      throw new LctxError(
        "kernel-compile",
        `${command.join(" ")} could not link the kernels: ${firstLines(linked.output, folder)}`,
        "check that the compiler's C library is installed (Debian: libc6-dev)",
      );
    return { path: cache.keep(libraryName, library), release };
  } catch (error) {
    release();
    throw error;
  }
}

/** What `work` makes of each item, with at most `abreast` at once; the first failure is thrown when all have ended. */
async function eachOf<A, B>(
  items: readonly A[],
  abreast: number,
  work: (item: A) => Promise<B>,
): Promise<B[]> {
  const results: B[] = [];
  const left = items.entries();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const [n, item] of left) {
      if (failures.length > 0) return;
      try {
        results[n] = await work(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: abreast }, worker));
  if (failures.length > 0) throw failures[0];
  return results;
}

const firstLines = (output: string, folder: string): string =>
  output.replaceAll(`${folder}/`, "").split("\n").slice(0, 8).join("\n");
