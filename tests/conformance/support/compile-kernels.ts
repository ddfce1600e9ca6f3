/** Compiles kernels of many nodes in one C file, natively or to WebAssembly, and runs them one at a time on one thread. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import koffi from "koffi";
import { nodeKernel, type NodeKernel } from "../../../compiler/backends/cpu/node-kernels.ts";
import { preludeText } from "../../../compiler/backends/cpu/prelude.ts";
import type { Node } from "../../../compiler/ir/graph.ts";
import { evaluateSize, type Sizes } from "../../../runtime/program.ts";

export type Target = "native" | "wasm";
export type Numbers = Float32Array | Int32Array;

/** Stands in for the support library: items run in order, handed to `threads` scratch areas in turn; a plain product. */
const support = `
#include <stdint.h>
#include <stddef.h>
static int test_threads = 1;
static int lctx_threads(void) { return test_threads; }
static void lctx_parallel(int64_t items, void (*body)(void *, int64_t, int), void *context) {
  for (int64_t i = 0; i < items; i++) body(context, i, (int)(i % test_threads));
}
static void lctx_gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, int ta, const float *b, int64_t ldb,
                      int tb, float *out, int64_t ldc, int accumulate, float *scratch) {
  (void)scratch;
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double t = accumulate ? out[i * ldc + j] : 0.0;
      for (int64_t p = 0; p < k; p++) t += (double)(ta ? a[p * lda + i] : a[i * lda + p]) * (tb ? b[j * ldb + p] : b[p * ldb + j]);
      out[i * ldc + j] = (float)t;
    }
}
`;

function dispatcher(kernels: readonly NodeKernel[]): string {
  const cases = kernels.map(
    ({ kernel }, n) => `    case ${n}: ${kernel.entry}(buffers, sizes, scalars); break;`,
  );
  return `
void (*unused_gemm)(int64_t, int64_t, int64_t, const float *, int64_t, int, const float *, int64_t, int, float *, int64_t, int, float *) = lctx_gemm;
int (*unused_threads)(void) = lctx_threads;
int misalignment(uint8_t *p) { return (int)((64 - ((uintptr_t)p & 63)) & 63); }
void dispatch(int which, int threads, uint8_t *arena, const int64_t *offsets, int count, const int64_t *sizes, const float *scalars) {
  void *buffers[64];
  for (int i = 0; i < count; i++) buffers[i] = offsets[i] < 0 ? 0 : arena + offsets[i];
  test_threads = threads;
  switch (which) {
${cases.join("\n")}
  }
}
`;
}

export function sourceOf(kernels: readonly NodeKernel[], extra = ""): string {
  const texts = new Map(kernels.map(({ kernel }) => [kernel.entry, kernel.text.text]));
  return [support, preludeText.text, ...texts.values(), extra, dispatcher(kernels)].join("\n");
}

/** Memory and a way to call `dispatch` over it. */
interface Machine {
  /** Room for `bytes`, aligned to 64; earlier views are void. */
  readonly arena: (bytes: number) => { readonly buffer: ArrayBuffer; readonly start: number };
  readonly dispatch: (
    which: number,
    threads: number,
    start: number,
    offsets: BigInt64Array,
    sizes: BigInt64Array,
    scalars: Float32Array,
  ) => void;
}

const strict = ["-Wall", "-Werror", "-Wno-unused-function", "-Wno-psabi", "-Wno-unknown-pragmas"];
const common = ["-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", ...strict];

function nativeMachine(source: string, flags: readonly string[]): Machine {
  const folder = mkdtempSync(join(tmpdir(), "lctx-kernels-"));
  try {
    writeFileSync(join(folder, "kernels.c"), source);
    const output = join(folder, "kernels.so");
    const link = ["-shared", "-fPIC", "-Wl,-z,nodelete", "-o", output, join(folder, "kernels.c")];
    execFileSync(process.env["CC"] ?? "cc", [...flags, ...common, ...link], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const library = koffi.load(output);
    const misalignment = library.func("int misalignment(void*)");
    const dispatch = library.func("void dispatch(int, int, void*, void*, int, void*, void*)");
    let whole = new ArrayBuffer(1 << 20);
    return {
      arena: (bytes) => {
        if (whole.byteLength < bytes + 64) whole = new ArrayBuffer(2 * bytes + 64);
        return { buffer: whole, start: misalignment(new Uint8Array(whole)) as number };
      },
      dispatch: (which, threads, start, offsets, sizes, scalars) => {
        const base = new Uint8Array(whole, start);
        dispatch(which, threads, base, offsets, offsets.length, sizes, scalars);
      },
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The part of the WebAssembly interface that is used here; the language's own library of types has none. */
const engine = (globalThis as unknown as { WebAssembly: WasmEngine }).WebAssembly;
interface WasmEngine {
  readonly instantiate: (binary: Uint8Array) => Promise<{
    readonly instance: {
      readonly exports: {
        readonly memory: { readonly buffer: ArrayBuffer; readonly grow: (pages: number) => number };
        readonly dispatch: (...args: number[]) => void;
        readonly __heap_base: { readonly value: number };
      };
    };
  }>;
}

async function wasmMachine(source: string): Promise<Machine> {
  const { commands } = await import("@yowasp/clang");
  // Without arguments it only reads its files; left to its first use, it would print how far it is.
  await commands.clang(undefined, {}, { fetchProgress: () => undefined });
  const link = [
    "-nostdlib",
    "-Wl,--no-entry",
    "-Wl,--export=dispatch",
    "-Wl,--export=__heap_base",
    "-Wl,-z,stack-size=1048576",
  ];
  const flags = [
    "--target=wasm32",
    "-O1",
    "-msimd128",
    "-mbulk-memory",
    "-ffreestanding",
    "-Wno-ignored-attributes",
  ];
  const messages: string[] = [];
  const note = (bytes: Uint8Array | null): void => {
    if (bytes !== null) messages.push(new TextDecoder().decode(bytes));
  };
  const files = await Promise.resolve(
    commands.clang(
      [...flags, ...common, ...link, "-o", "kernels.wasm", "kernels.c"],
      { "kernels.c": source },
      {
        stdout: note,
        stderr: note,
      },
    ),
  ).catch((error: unknown) => {
    throw new Error(`clang failed: ${messages.join("")}`, { cause: error });
  });
  const binary = files?.["kernels.wasm"];
  if (!(binary instanceof Uint8Array)) throw new Error(`clang gave no module: ${messages.join("")}`);
  const { instance } = await engine.instantiate(new Uint8Array(binary));
  const { memory, dispatch, __heap_base } = instance.exports;
  // Offsets, sizes and scalars of a call lie before the arena.
  const base = Math.ceil(__heap_base.value / 64) * 64;
  const start = base + 4096;
  return {
    arena: (bytes) => {
      const missing = start + bytes - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / 65_536));
      return { buffer: memory.buffer, start };
    },
    dispatch: (which, threads, at, offsets, sizes, scalars) => {
      new BigInt64Array(memory.buffer, base, offsets.length).set(offsets);
      new BigInt64Array(memory.buffer, base + 1024, sizes.length).set(sizes);
      new Float32Array(memory.buffer, base + 3072, scalars.length).set(scalars);
      dispatch(which, threads, at, base, offsets.length, base + 1024, base + 3072);
    },
  };
}

export interface CompiledNodes {
  /** Results of node `n`; memory that the kernel must write starts as NaN, and is checked for writes past its end. */
  readonly run: (
    n: number,
    sizes: Sizes,
    operands: readonly Numbers[],
    results: readonly number[],
    scalars?: Readonly<Record<string, number>>,
  ) => readonly Float32Array[];
}

/** Compiles the kernels of nodes. `flags` are those of a native build. */
export async function compileNodes(
  nodes: readonly Node[],
  target: Target,
  flags: readonly string[] = ["-O1", "-march=native"],
): Promise<CompiledNodes> {
  const kernels = nodes.map((node) => nodeKernel(node));
  const source = sourceOf(kernels);
  const machine = target === "native" ? nativeMachine(source, flags) : await wasmMachine(source);
  const guard = 16;
  return {
    run: (n, sizes, operands, results, scalars = {}) => {
      const made = kernels[n]!;
      const counts = [...operands.map((operand) => operand.length), ...results];
      if (made.scratch !== null) counts.push(evaluateSize(made.scratch.elements, sizes));
      const offsets: number[] = [];
      let bytes = 0;
      for (const count of counts) {
        offsets.push(bytes);
        bytes += Math.ceil(((count + guard) * 4) / 64) * 64;
      }
      const { buffer, start } = machine.arena(bytes);
      new Float32Array(buffer, start, bytes / 4).fill(NaN);
      operands.forEach((operand, at) => {
        const kind = operand instanceof Int32Array ? Int32Array : Float32Array;
        new kind(buffer, start + offsets[at]!, operand.length).set(operand);
      });
      const sizeValues = made.sizes.map((size) => BigInt(evaluateSize(size, sizes)));
      const scalarValues = made.scalars.map((value) => (typeof value === "number" ? value : scalars[value]!));
      machine.dispatch(
        n,
        sizes.threads,
        start,
        new BigInt64Array(offsets.map(BigInt)),
        new BigInt64Array([...sizeValues, 0n]),
        new Float32Array([...scalarValues, 0]),
      );
      counts.forEach((count, at) => {
        const after = new Float32Array(buffer, start + offsets[at]! + count * 4, guard);
        if (after.some((value) => !Number.isNaN(value)))
          throw new Error(`buffer ${at} was written past its end`);
      });
      return results.map((count, at) =>
        new Float32Array(buffer, start + offsets[operands.length + at]!, count).slice(),
      );
    },
  };
}
