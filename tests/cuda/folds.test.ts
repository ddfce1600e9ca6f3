/** Log-sum-exps, folds over pairs and selections of the CUDA backend, run on the host: against the interpreter. */
import { describe, expect, it } from "vitest";
import { CpuOnly } from "../../compiler/backends/cuda/attention/shape.ts";
import { blockCases } from "./block-cases.ts";
import { compareNode, type CaseSizes } from "./check-nodes.ts";
import { foldCases } from "./fold-cases.ts";
import { compileForHost } from "./host-device.ts";
import { selectCases } from "./select-cases.ts";
import { elementsOf } from "./selection-cases.ts";

const seed = Number(process.env["LCTX_SEED"] ?? Math.floor(Math.random() * 2 ** 30));
const all = (length: number): CaseSizes => ({ batch: 2, length, "query-start": 0 });

describe(`folds over pairs on the host, LCTX_SEED=${seed}`, () => {
  it("mean what the interpreter says (not run without g++)", { timeout: 300_000 }, () => {
    const work = [
      ...foldCases(6),
      ...selectCases(6),
      ...selectCases(16),
      selectCases(1000)[0]!,
      ...blockCases,
    ].flatMap((of, n) => elementsOf(n).map((element) => ({ of, element })));
    const compiled = compileForHost(work.map(({ of, element }) => of.call(element)));
    if (compiled === null) return;
    const problems = work.flatMap(({ of, element }, n) =>
      [1, 9, 65, 140].flatMap((length, m) =>
        compareNode(
          of,
          element,
          (buffers, _, launch) => compiled[n]!(buffers, { ...launch, multiprocessors: 5 }),
          all(length),
          seed + m,
        ),
      ),
    );
    expect(problems).toEqual([]);
  });

  it("refuse rows that no processor's shared memory holds", () => {
    expect(() => selectCases(5000)[0]!.call("f32")).toThrow(CpuOnly);
  });
});
