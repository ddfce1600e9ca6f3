/** Compiles kernel sources to WebAssembly with the clang of @yowasp/clang, kept in a cache on disk. */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LctxError } from "../../errors.ts";
import type { KernelSources } from "../device.ts";
import { webAssembly, type WasmModule } from "./web-assembly.ts";

type Tree = Record<string, unknown>;
type Tool = (args: string[], files: Tree, options: object) => Promise<Tree>;

interface Toolchain {
  readonly version: string;
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
const supportExports = ["lctx_work", "lctx_start", "lctx_stop", "__stack_pointer", "__heap_base"] as const;

async function loadToolchain(): Promise<Toolchain> {
  try {
    const name = "@yowasp/clang";
    const { commands } = (await import(name)) as { commands: Record<string, Tool> };
    const clang = commands["clang"];
    const link = commands["wasm-ld"];
    if (clang === undefined || link === undefined) throw new Error("it has no clang or no wasm-ld");
    return { version: name, clang, link };
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
    return await tool(args, files, { stdout: collect, stderr: collect, fetchProgress: () => undefined });
  } catch (cause) {
    throw new LctxError(
      "kernel-compile",
      `clang for WebAssembly could not ${what}: ${(output || String(cause)).split("\n").slice(0, 8).join("\n")}`,
      "this is a bug in lctx; please report it with the spec",
      { cause },
    );
  }
}

function cached(path: string | null): Uint8Array<ArrayBuffer> | null {
  if (path === null) return null;
  try {
    const bytes = readFileSync(path);
    const sum = readFileSync(`${path}.sum`, "utf8").trim();
    return createHash("sha256").update(bytes).digest("hex") === sum ? new Uint8Array(bytes) : null;
  } catch {
    return null;
  }
}

function keep(path: string | null, bytes: Uint8Array): void {
  if (path === null) return;
  const made = `${path}.${process.pid}.tmp`;
  writeFileSync(made, bytes);
  writeFileSync(`${made}.sum`, createHash("sha256").update(bytes).digest("hex"));
  renameSync(`${made}.sum`, `${path}.sum`);
  renameSync(made, path);
}

let toolchain: Promise<Toolchain> | null = null;

/** Says early, and cheaply, whether there is anything to compile with. */
export async function findWasmCompiler(): Promise<void> {
  try {
    createRequire(import.meta.url).resolve("@yowasp/clang");
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
  cacheFolder: string | null,
): Promise<WasmModule> {
  const folder = cacheFolder === null ? null : join(cacheFolder, "wasm");
  if (folder !== null) mkdirSync(folder, { recursive: true });
  const place = (parts: readonly string[], extension: string): string | null => {
    if (folder === null) return null;
    const sum = createHash("sha256");
    for (const part of parts) sum.update(`${part.length}:`).update(part);
    return join(folder, `${sum.digest("hex").slice(0, 32)}.${extension}`);
  };
  const texts = Object.entries(sources.files).sort();
  const modulePath = place([...flags, String(base), ...sources.entries, ...texts.flat()], "wasm");
  const whole = cached(modulePath);
  if (whole !== null) return webAssembly.compile(whole);

  toolchain ??= loadToolchain().catch((error: unknown) => {
    toolchain = null;
    throw error;
  });
  const { clang, link } = await toolchain;
  const headers = texts.filter(([name]) => name.endsWith(".h"));
  const objects: Tree = {};
  for (const [name, text] of texts.filter(([file]) => file.endsWith(".c"))) {
    const path = place([...flags, text, ...headers.flat()], "o");
    let object = cached(path);
    if (object === null) {
      const made = await runTool(
        clang,
        `compile ${name}`,
        [...flags, "-c", name, "-o", "out.o"],
        Object.fromEntries([...headers, [name, text]]),
      );
      object = made["out.o"] as Uint8Array<ArrayBuffer>;
      keep(path, object);
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
  keep(modulePath, bytes);
  return webAssembly.compile(bytes);
}
