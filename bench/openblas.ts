/** OpenBLAS as a peer: where it is, and its matrix product. */
import koffi from "koffi";
import { processorFlags } from "./report.ts";

/** `LCTX_OPENBLAS` names another library than the system's. */
const paths = (): readonly string[] => {
  const given = process.env["LCTX_OPENBLAS"];
  return given === undefined ? ["libopenblas.so.0", "libopenblas.so", "libopenblas.dylib"] : [given];
};

export interface OpenBlas {
  readonly path: string;
  /** The kernels that it runs, by its own name for them. */
  readonly core: string;
  /** c = op(a) op(b), row-major; `lda` and `ldb` are the lengths of stored rows. */
  product(
    [m, n, k]: readonly [number, number, number],
    orders: readonly ["N" | "T", "N" | "T"],
    memories: readonly [Float32Array, Float32Array, Float32Array],
  ): () => void;
}

/** Names the fastest kernels that the processor can run, unless the user has: a release does not know later processors. */
export function chooseCoreType(): void {
  if (process.env["OPENBLAS_CORETYPE"] === undefined && processorFlags().has("avx512f"))
    process.env["OPENBLAS_CORETYPE"] = "SkylakeX";
}

/** Null where it is not installed. */
export function openBlas(threads: number): OpenBlas | null {
  chooseCoreType();
  for (const path of paths()) {
    let library;
    try {
      library = koffi.load(path);
    } catch {
      continue;
    }
    const core = library.func("const char *openblas_get_corename()") as unknown as () => string;
    const setThreads = library.func("void openblas_set_num_threads(int)") as unknown as (n: number) => void;
    const sgemm = library.func(
      "void cblas_sgemm(int, int, int, int, int, int, float, void *, int, void *, int, float, void *, int)",
    ) as unknown as (...values: unknown[]) => void;
    setThreads(threads);
    return {
      path,
      core: core(),
      product: ([m, n, k], [a, b], [left, right, result]) => {
        const order = (letter: "N" | "T"): number => (letter === "T" ? 112 : 111);
        const [lda, ldb] = [a === "T" ? m : k, b === "T" ? k : n];
        return () => sgemm(101, order(a), order(b), m, n, k, 1, left, lda, right, ldb, 0, result, n);
      },
    };
  }
  return null;
}
