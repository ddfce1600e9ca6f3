/** Matrix products as CUDA calls: large tiles where there are many of them, else small ones over slices of k. */
import type { CudaCall, CudaLaunch, CudaSource, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import type { Size } from "../../../../runtime/program.ts";
import type { MatmulStep } from "../../../ir/schedule.ts";
import {
  matmulDepth,
  matmulSharedBytes,
  matmulText,
  matmulThreads,
  sumSlicesText,
  type MatmulForm,
} from "./matmul-text.ts";

/** Large tiles are taken from this many on: fewer leave multiprocessors without work. */
const enoughTiles = 128;
/** Blocks that slices of k are made for, and the fewest steps of k worth a slice. Both are fixed, so that the order of additions is the same on every GPU. */
const wantedBlocks = 512;
const shortestSlice = 256;

const whole = (value: LaunchSize) => ({ kind: "i32", value }) as const;
const pointer = (buffer: number) => ({ kind: "pointer", buffer }) as const;

/** Rows of a tensor with this many columns start at multiples of four floats. */
const aligned = (columns: Size): boolean => typeof columns === "number" && columns % 4 === 0;

/** Buffers of the call: a, b, out. `enough` large tiles are taken where there are that many. */
export function matmulCall(step: MatmulStep, enough = enoughTiles): CudaCall {
  const { batch, m, n, k, transposeA, transposeB } = step;
  const form = (tile: 64 | 128): MatmulForm => ({
    tile,
    transposeA,
    transposeB,
    alignedA: aligned(transposeA ? m : k),
    alignedB: aligned(transposeB ? k : n),
    alignedOut: aligned(n),
  });
  const tiles = (tile: number): LaunchSize => ["*", batch, ["ceil-div", m, tile], ["ceil-div", n, tile]];
  // 1 where the large tiles are taken and 0 where not: an empty grid is no launch.
  const large: LaunchSize = ["min", 1, ["floor-div", tiles(128), enough]];
  const slices: LaunchSize = [
    "max",
    1,
    ["min", ["ceil-div", k, shortestSlice], ["floor-div", wantedBlocks, tiles(64)]],
  ];
  const depth = matmulDepth(64);
  const slice: LaunchSize = ["*", depth, ["ceil-div", ["ceil-div", k, slices], depth]];
  const source = (entry: string, text: string): CudaSource => ({ entry, text, architecture: "sm_80" });
  const accumulate = { kind: "f32", value: step.accumulate ?? 0 } as const;
  const launch = (own: Pick<CudaLaunch, "source" | "grid" | "label">, tile: number, steps: LaunchSize) => ({
    ...own,
    tile: `${tile} × ${tile}`,
    threads: matmulThreads(tile),
    cluster: 1,
    sharedBytes: matmulSharedBytes(tile),
    arguments: [pointer(0), pointer(1), pointer(2), pointer(3), ...[m, n, k, steps].map(whole), accumulate],
  });
  const small: LaunchSize = ["-", 1, large];
  return {
    sources: [
      source("lctx_matmul", matmulText(form(128)).text),
      source("lctx_matmul", matmulText(form(64)).text),
      source("lctx_sum_slices", sumSlicesText.text),
    ],
    buffers: 3,
    // Of one slice there are no partial sums.
    scratch: [{ bytes: ["*", 4, batch, m, n, slices, small, ["min", 1, ["-", slices, 1]]], zero: false }],
    launches: [
      launch({ source: 0, grid: [["*", tiles(128), large], 1, 1], label: "product" }, 128, k),
      launch(
        { source: 1, grid: [["*", tiles(64), small], slices, 1], label: "product over slices" },
        64,
        slice,
      ),
      {
        source: 2,
        label: "sum of slices",
        grid: [["*", ["ceil-div", ["*", batch, m, n], 256], small, ["min", 1, ["-", slices, 1]]], 1, 1],
        threads: 256,
        cluster: 1,
        sharedBytes: 0,
        arguments: [pointer(3), pointer(2), ...[batch, m, n, slices].map(whole), accumulate],
      },
    ],
  };
}
