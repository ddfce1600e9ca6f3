/** Masks by words of 32 keys in device text: bit by bit what the mask says of a pair, on the host. */
import { expect, it } from "vitest";
import { cudaPairs } from "../../compiler/backends/cuda/attention/pairs.ts";
import { elementText } from "../../compiler/backends/cuda/element.ts";
import { scalarPrelude } from "../../compiler/backends/cuda/scalar-prelude.ts";
import * as e from "../../compiler/ir/expr.ts";
import { lengthSize, wordsOf } from "../../compiler/ir/graph-axes.ts";
import { axis } from "../../compiler/ir/graph-build.ts";
import { c } from "../../compiler/ir/kernel.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import { b, causal, floorDiv, h, k, q, t } from "../support/pair-cases.ts";
import { randomNumbers } from "../support/random-values.ts";
import { compileForHost } from "./host-device.ts";
import { whole } from "./selection-cases.ts";

const heads = 3;
const set = whole("set", [b, axis("h", heads), axis("w", wordsOf(lengthSize()))]);
const blocks = whole("blocks", [b, t, axis("h", heads), axis("w", wordsOf(lengthSize(0, 64)))]);
const distance = e.sub(q, k);

/** Masks with a word, and those without. */
const masks = {
  causal,
  window: e.and(causal, e.lt(distance, e.int(40))),
  "window or sinks": e.and(causal, e.or(e.lt(distance, e.int(7)), e.lt(k, e.int(3)))),
  columns: e.and(causal, e.member(0, [h], k)),
  "columns or diagonals": e.and(causal, e.or(e.member(0, [h], k), e.member(0, [h], distance))),
  "not these diagonals": e.not(e.member(0, [h], e.sub(distance, e.int(5)))),
  "far columns": e.member(0, [h], e.add(k, e.int(13))),
  blocks: e.and(causal, e.member(1, [q, h], floorDiv(k, 64))),
  "by head": e.or(e.and(e.eq(h, e.int(1)), causal), e.le(e.add(k, e.int(4)), q)),
};
const without = {
  remainder: e.eq(e.binary("mod", k, e.int(3)), e.int(0)),
  "small blocks": e.member(1, [q, h], floorDiv(k, 8)),
};

const pairsOf = (mask: e.Expr) =>
  cudaPairs(
    {
      regions: [{ query: { axes: [b, t] }, key: { axes: [b, t] }, when: e.bool(true) }],
      mask,
      buffers: [set, blocks],
      score: e.logit,
    },
    null,
    0,
  );

function callOf(mask: e.Expr): CudaCall {
  const pairs = pairsOf(mask);
  const entry = c`lctx_words`;
  const text = c`${scalarPrelude("accurate")}${elementText("f32")}${pairs.functions}
extern "C" __global__ void ${entry}(${pairs.parameters}int *wrong, int words) {
  ${pairs.build}
  const int q = blockIdx.x, h = blockIdx.y;
  for (int w = threadIdx.x; w < words; w += 32) {
    const unsigned word = lctx_see_word(p, 0, h, q, 32 * w);
    for (int i = 0; i < 32; i++)
      if ((word >> i & 1u) != (lctx_see(p, 0, h, q, 32 * w + i) ? 1u : 0u)) atomicAdd(wrong, 1);
    atomicAdd(wrong + 1, __popc(word));
  }
}
`;
  return {
    sources: [{ entry: entry.text, text: text.text, architecture: "sm_80" }],
    buffers: 3,
    scratch: [],
    launches: [
      {
        source: 0,
        label: "words",
        grid: ["length", heads, 1],
        threads: 32,
        cluster: 1,
        sharedBytes: 0,
        arguments: [
          ...pairs.arguments,
          { kind: "pointer", buffer: 2 },
          { kind: "i32", value: ["floor-div", "length", 32] },
        ],
      },
    ],
  };
}

it("say the same as the mask (not run without g++)", { timeout: 60_000 }, () => {
  expect(Object.values(without).map((mask) => pairsOf(mask).seesWords)).toEqual([false, false]);
  const calls = compileForHost(Object.values(masks).map(callOf));
  if (calls === null) return;
  const next = randomNumbers(5);
  const random = (count: number) =>
    Int32Array.from({ length: count }, () => Math.floor(next() * 2 ** 32) | 0);
  const length = 224;
  Object.keys(masks).forEach((name, n) => {
    const result = new Int32Array(2);
    const buffers = [random(heads * 7), random(length * heads), result];
    calls[n]!(buffers, { batch: 1, length, "query-length": length, "query-start": 0, step: 0 });
    expect([name, result[0]]).toEqual([name, 0]);
    expect(result[1]).toBeGreaterThan(0);
  });
});
