/** Plans the kernels of a selection whose few rows choose among tokens: numbers, three digits, then the words. */
import type { CudaArgument, CudaCall, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import type { SelectNode } from "../../../ir/graph-pairs.ts";
import { c, type Fragment } from "../../../ir/kernel.ts";
import type { CudaPairs } from "../attention/pairs.ts";
import { pieceCandidates, rowCounters, selectWideText, wideBytes, wideThreads } from "./select-wide-text.ts";

/** Few rows, as many candidates as there are tokens, bodies from tables. */
export const isWide = ({ perRow, query, candidates }: SelectNode): boolean =>
  !perRow && query === null && candidates.kind === "length" && candidates.by === 1;

/** Buffers of the call: tables, result. `prelude` has the functions of pairs and the constants of selections. */
export function selectWideCall(
  node: SelectNode,
  heads: number,
  prelude: Fragment,
  pairs: CudaPairs,
): CudaCall {
  const result = node.buffers.length;
  const [numbers, counters, last] = [result + 1, result + 2, result + 3];
  const candidates = axisExtent(node.candidates);
  const pieces: LaunchSize = ["ceil-div", candidates, pieceCandidates];
  const rows: LaunchSize = ["*", "batch", heads];
  const pointer = (buffer: number): CudaArgument => ({ kind: "pointer", buffer });
  const whole = (value: LaunchSize): CudaArgument => ({ kind: "i32", value });
  const kernel = (entry: Fragment, parameters: Fragment, call: Fragment) => ({
    entry: entry.text,
    text: c`${prelude}${selectWideText}
extern "C" __global__ void __launch_bounds__(${wideThreads}) ${entry}(${pairs.parameters}${parameters}) {
  ${pairs.build}
  extern __shared__ __align__(16) unsigned char lctx_memory[];
  ${call}
}
`.text,
    architecture: "sm_80" as const,
  });
  const launch = (source: number, label: string, args: readonly CudaArgument[]) => ({
    source,
    label: `${node.site}: ${label}`,
    grid: [pieces, heads, "batch"] as const,
    threads: wideThreads,
    cluster: 1,
    sharedBytes: wideBytes,
    arguments: [...pairs.arguments, ...args],
  });
  const digits = node.choose.kind === "above" ? [] : [1, 2, 3];
  return {
    sources: [
      kernel(
        c`lctx_select_numbers`,
        c`unsigned *numbers, int *counters, int candidates`,
        c`lctx_wide_numbers(p, numbers, counters, lctx_memory, candidates);`,
      ),
      kernel(
        c`lctx_select_words`,
        c`const unsigned *numbers, const int *counters, const int *last, int *words, int candidates`,
        c`lctx_wide_write(p, numbers, counters, last, words, lctx_memory, candidates);`,
      ),
      ...(digits.length === 0
        ? []
        : [
            kernel(
              c`lctx_select_digit`,
              c`const unsigned *numbers, int *counters, int *last, int candidates, int round`,
              c`lctx_wide_digit(p, numbers, counters, last, lctx_memory, candidates, round);`,
            ),
          ]),
    ],
    buffers: result + 1,
    scratch: [
      { bytes: ["*", 4, rows, candidates], zero: false },
      { bytes: ["*", 4 * rowCounters, rows], zero: true },
      { bytes: ["*", 4 * 256, rows, pieces], zero: false },
    ],
    launches: [
      launch(0, "numbers of candidates", [pointer(numbers), pointer(counters), whole(candidates)]),
      ...digits.map((round) =>
        launch(2, "digits of the least that is chosen", [
          ...[numbers, counters, last].map(pointer),
          whole(candidates),
          whole(round),
        ]),
      ),
      launch(1, "selection", [...[numbers, counters, last, result].map(pointer), whole(candidates)]),
    ],
  };
}
