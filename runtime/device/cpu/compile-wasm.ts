/** Compiles kernel sources to WebAssembly with the clang of @yowasp/clang, kept in a cache on disk. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { LctxError } from "../../errors.ts";
import type { KernelSources } from "../device.ts";
import { keyOf, type KernelCache } from "./kernel-cache.ts";
import { webAssembly, type WasmModule } from "../../web-assembly.ts";

type Tree = Record<string, unknown>;
type Tool = (args: string[] | null, files: Tree, options: object) => Promise<Tree>;

interface Toolchain {
  readonly clang: Tool;
  readonly link: Tool;
}

const flags = [
  "--target=wasm32-wasip1",
  "-std=gnu11",
  "-O2",
  "-msimd128",
  "-mbulk-memory",
  "-matomics",
  "-ffp-contract=fast",
  "-fno-math-errno",
] as const;

/** Exported beside the kernels. */
const supportExports = [
  "lctx_work",
  "lctx_start",
  "lctx_stop",
  "lctx_fail",
  "lctx_failures",
  "__stack_pointer",
  "__heap_base",
] as const;

async function loadToolchain(): Promise<Toolchain> {
  try {
    const name = "@yowasp/clang";
    const { commands } = (await import(name)) as { commands: Record<string, Tool> };
    const clang = commands["clang"];
    const link = commands["wasm-ld"];
    if (clang === undefined || link === undefined) throw new Error("it has no clang or no wasm-ld");
    // Without arguments it only reads its files; left to its first use, it would print how far it is.
    await clang(null, {}, { fetchProgress: () => undefined });
    return { clang, link };
  } catch (cause) {
    throw new LctxError(
      "no-compiler",
      `the package @yowasp/clang cannot be loaded (${(cause as Error).message.split("\n")[0]})`,
      "npm install @yowasp/clang, or install a C compiler",
      { cause },
    );
  }
}

async function runTool(tool: Tool, what: string, args: string[], files: Tree): Promise<Tree> {
  const decoder = new TextDecoder();
  let output = "";
  const collect = (bytes: Uint8Array | null): void => {
    if (bytes !== null) output += decoder.decode(bytes, { stream: true });
  };
  try {
    return await tool(args, files, { stdout: collect, stderr: collect });
  } catch (cause) {
    throw new LctxError(
      "kernel-compile",
      `clang for WebAssembly could not ${what}: ${(output || String(cause)).split("\n").slice(0, 8).join("\n")}`,
      "this is a bug in lctx; please report it with the spec",
      { cause },
    );
  }
}

let toolchain: Promise<Toolchain> | null = null;

/** The package's version, cheaply: it need not be loaded when all is in the cache. Throws LctxError `no-compiler`. */
export function wasmCompilerVersion(): string {
  try {
    const entry = createRequire(import.meta.url).resolve("@yowasp/clang");
    for (let folder = dirname(entry); ; folder = dirname(folder)) {
      const path = join(folder, "package.json");
      if (existsSync(path))
        return `@yowasp/clang ${(JSON.parse(readFileSync(path, "utf8")) as { version: string }).version}`;
      if (folder === dirname(folder)) throw new Error("the package has no package.json");
    }
  } catch (cause) {
    throw new LctxError(
      "no-compiler",
      "the package @yowasp/clang is not installed",
      "npm install @yowasp/clang, or install a C compiler",
      { cause },
    );
  }
}

/**
 * A module whose static data starts at `base`; it imports its shared memory as env.memory.
 * Throws LctxErrors `no-compiler`, `kernel-compile`.
 */
export async function compileModule(
  sources: KernelSources,
  base: number,
  cache: KernelCache,
): Promise<WasmModule> {
  const version = wasmCompilerVersion();
  const texts = Object.entries(sources.files).sort();
  const moduleName = `${keyOf([version, ...flags, String(base), ...sources.entries, ...texts.flat()])}.wasm`;
  const kept = cache.read(moduleName);
  if (kept !== null) return webAssembly.compile(kept);

  toolchain ??= loadToolchain().catch((error: unknown) => {
    toolchain = null;
    throw error;
  });
  const { clang, link } = await toolchain;
  const headers = texts.filter(([name]) => name.endsWith(".h"));
  const objects: Tree = {};
  for (const [name, text] of texts.filter(([file]) => file.endsWith(".c"))) {
    const objectName = `${keyOf([version, ...flags, text, ...headers.flat()])}.o`;
    let object = cache.read(objectName);
    if (object === null) {
      const made = await runTool(
        clang,
        `compile ${name}`,
        [...flags, "-c", name, "-o", "out.o"],
        Object.fromEntries([...headers, [name, text]]),
      );
      object = made["out.o"] as Uint8Array<ArrayBuffer>;
      cache.write(objectName, object);
    }
    objects[`${name}.o`] = object;
  }
  const linked = await runTool(
    link,
    "link the kernels",
    [
      "--shared-memory",
      "--import-memory",
      "--no-entry",
      "--max-memory=4294967296",
      "--no-stack-first",
      `--global-base=${base}`,
      "-z",
      "stack-size=1048576",
      ...[...sources.entries, ...supportExports].map((name) => `--export=${name}`),
      ...Object.keys(objects),
      "-o",
      "out.wasm",
    ],
    objects,
  );
  const bytes = linked["out.wasm"] as Uint8Array<ArrayBuffer>;
  cache.write(moduleName, bytes);
  return webAssembly.compile(bytes);
}
