/** What Hopper's kernels do to their fragments in a softmax of two levels, run on the host, against the interpreter; their products cannot be. */
import { expect, it } from "vitest";
import { cudaPairs } from "../../compiler/backends/cuda/attention/pairs.ts";
import { weighingOf } from "../../compiler/backends/cuda/attention/weighing.ts";
import { softmaxText } from "../../compiler/backends/cuda/sm90/forward-rows-text.ts";
import { forwardTile } from "../../compiler/backends/cuda/sm90/forward-shape.ts";
import { backwardTile, type BackwardOptions } from "../../compiler/backends/cuda/sm90/backward-shape.ts";
import { levelsBackwardText } from "../../compiler/backends/cuda/sm90/levels-backward-text.ts";
import { levelsForwardText } from "../../compiler/backends/cuda/sm90/levels-forward-text.ts";
import { levelsBytes, levelsOf } from "../../compiler/backends/cuda/sm90/levels-shape.ts";
import { scalarPrelude } from "../../compiler/backends/cuda/scalar-prelude.ts";
import type { ForwardOptions } from "../../compiler/backends/cuda/sm90/forward-shape.ts";
import { attentionSlopes } from "../../compiler/ir/attention-slopes.ts";
import * as e from "../../compiler/ir/expr.ts";
import {
  attentionGradientNode,
  attentionNode,
  axis,
  batchAxis,
  graphOf,
  resultNode,
  tokenAxis,
} from "../../compiler/ir/graph-build.ts";
import { interpret } from "../../compiler/ir/interpret.ts";
import { c } from "../../compiler/ir/kernel.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { twoLevelWeight } from "../conformance/support/random-weighted-specs.ts";
import { randomNumbers } from "../support/random-values.ts";
import { compileForHost } from "./host-device.ts";

const seed = Number(process.env["LCTX_SEED"] ?? Math.floor(Math.random() * 2 ** 30));
const scale = 0.25;
const causal = e.le(e.index("k"), e.index("q"));
const near = e.lt(e.sub(e.index("q"), e.index("k")), e.int(195));

interface LevelCase {
  readonly size: number;
  readonly read: "first" | "last";
  readonly mask: e.Expr;
  readonly tokens: number;
}
const cases: readonly LevelCase[] = [
  { size: 64, read: "last", mask: causal, tokens: 205 },
  { size: 64, read: "first", mask: causal, tokens: 192 },
  { size: 32, read: "last", mask: e.and(causal, near), tokens: 230 },
  { size: 16, read: "first", mask: causal, tokens: 193 },
  { size: 8, read: "last", mask: causal, tokens: 200 },
  { size: 128, read: "last", mask: causal, tokens: 201 },
];

/** With unit vectors for keys and values, queries are logits over the scale, outputs weights and query gradients those of logits. */
function nodesOf({ size, read, mask, tokens }: LevelCase) {
  const of = (path: string, name: string) =>
    leaf(path, [batchAxis, tokenAxis, axis(name, 1), axis("d", tokens)]);
  const attention = attentionNode(
    {
      regions: [{ query: of("query", "h"), key: of("key", "g"), when: e.bool(true) }],
      value: leaf("value", [batchAxis, tokenAxis, axis("g", 1), axis("e", tokens)]),
      mask,
      score: e.logit,
      weight: twoLevelWeight(size, read),
      buffers: [],
      scale,
      prepended: null,
    },
    "levels",
  );
  const gradient = attentionGradientNode(
    attention,
    leaf("upstream", attention.axes),
    attentionSlopes(attention, () => false),
    "levels",
  );
  return { attention, gradient };
}

const tile = forwardTile({ heads: 1, groups: 1, d: 128, e: 128 }, true, true);
const shape = { heads: 1, groups: 1, d: 16, e: 16 };

/** What the fragments' functions ask of the kernel around them, for the host. */
const prelude = c`${scalarPrelude("approximate")}
typedef unsigned int u32;
#define LCTX_LOG2E 1.44269504f
#define LCTX_LN2 0.693147181f
LCTX_DEVICE float lctx_log2(float x) { return log2f(x); }
LCTX_DEVICE void lctx_meet(int, int) { __syncthreads(); }
LCTX_DEVICE int lctx_lane() { return threadIdx.x & 31; }
LCTX_DEVICE float lctx_row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
LCTX_DEVICE float lctx_row_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
`;

/** The forward fragments of 64 queries a block: logits in, weights and log-sum-exps out; and whether each tile was far. */
function forwardCall(of: LevelCase): CudaCall {
  const { attention } = nodesOf(of);
  const weighing = weighingOf(attention);
  const pairs = cudaPairs({ ...attention, more: weighing.more }, blockFacts(attention), 0);
  const levels = { ...levelsOf(attention)!, cases: weighing.cases };
  const options = { shape, tile, scale, pairs, levels } as ForwardOptions;
  const entry = c`levels_forward`;
  const text = c`${prelude}${pairs.functions}${softmaxText(options)}${levels.cases}${levelsForwardText(levels, tile)}
extern "C" __global__ void ${entry}(${pairs.parameters}const float *logits, float *weights, float *lse, int *fars) {
  ${pairs.build}
  const int n = p.length, lane = threadIdx.x & 31, quad = lane & 3, own = blockIdx.x * 64 + (threadIdx.x >> 5) * 16 + (lane >> 2);
  const int q0 = min(own, n - 1), q1 = min(own + 8, n - 1), first = blockIdx.x * 64, last = min(first + 64, n) - 1;
  lctx_state x = {-LCTX_INF, -LCTX_INF, 0.0f, 0.0f, 0.0f, 0.0f};
  float s[64];
  const int tiles = (n + 127) / 128;
  for (int t = 0; t <= tiles; t++) {
    const bool end = t == tiles;
    const float by0 = end ? lctx_row_sum(x.sum0) : 0.0f, by1 = end ? lctx_row_sum(x.sum1) : 0.0f;
    const bool far = !end && t * 128 + 127 < n && lctx_far(p, 0, 0, first, last, t * 128, t * 128 + 127);
    for (int i = 0; i < 64 && !end; i++) {
      const int k = t * 128 + (i >> 2) * 8 + 2 * quad + (i & 1);
      s[i] = k < n ? logits[(i & 2 ? q1 : q0) * n + k] : 0.0f;
    }
    if (far) lctx_far_weights(s, x);
    else if (!end) lctx_near_weights(p, s, x, 0, 0, q0, q1, t * 128 + 2 * quad, n);
    if (far && threadIdx.x == 0) fars[blockIdx.x * tiles + t] = 1;
    const float fade0 = end ? (by0 > 0.0f ? 1.0f / by0 : 0.0f) : x.fade0, fade1 = end ? (by1 > 0.0f ? 1.0f / by1 : 0.0f) : x.fade1;
    for (int m = 0; m < t; m++)
      for (int i = 0; i < 64; i++) {
        const int k = m * 128 + (i >> 2) * 8 + 2 * quad + (i & 1), q = i & 2 ? own + 8 : own;
        if (k < n && q < n) weights[q * n + k] *= i & 2 ? fade1 : fade0;
      }
    for (int i = 0; i < 64 && !end; i++) {
      const int k = t * 128 + (i >> 2) * 8 + 2 * quad + (i & 1), q = i & 2 ? own + 8 : own;
      if (k < n && q < n) weights[q * n + k] = s[i];
    }
    if (end && quad == 0) {
      if (own < n) lse[own] = by0 > 0.0f ? (x.most0 * LCTX_EXPONENT + lctx_log2(by0)) * LCTX_LN2 : -LCTX_INF;
      if (own + 8 < n) lse[own + 8] = by1 > 0.0f ? (x.most1 * LCTX_EXPONENT + lctx_log2(by1)) * LCTX_LN2 : -LCTX_INF;
    }
  }
}
`;
  return callOf(entry.text, text.text, pairs.arguments, 4, ["ceil-div", "length", 64], 0);
}

/** The backward fragments of 64 keys a block and steps of 64 queries: logits and weight gradients in, weights and logit gradients out. */
function backwardCall(of: LevelCase): CudaCall {
  const { gradient } = nodesOf(of);
  const weighing = weighingOf(gradient);
  const pairs = cudaPairs({ ...gradient, more: weighing.more }, blockFacts(gradient), 0);
  const levels = levelsOf(gradient)!;
  const options = { scale, tile: backwardTile(shape, true) } as BackwardOptions;
  const entry = c`levels_backward`;
  const text = c`${prelude}${pairs.functions}${weighing.cases}${levelsBackwardText(levels, options)}
extern "C" __global__ void ${entry}(${pairs.parameters}const float *logits, const float *gradients, const float *lse,
                                    const float *deltas, float *weights, float *slopes, int *fars) {
  ${pairs.build}
  extern __shared__ unsigned char lctx_memory[];
  float *room = (float *)lctx_memory, *powers = room + ${levelsBytes / 4};
  const int n = p.length, thread = threadIdx.x, lane = thread & 31, quad = lane & 3;
  const int key = blockIdx.x * 64 + (thread >> 5) * 16 + (lane >> 2);
  const lctx_levels levels = lctx_start_levels(room, thread, 2);
  for (int first = 0; first < n; first += 64) {
    __syncthreads();
    for (int i = thread; i < 64; i += 128) {
      powers[i] = first + i < n && lse[first + i] != -LCTX_INF ? lse[first + i] * LCTX_LOG2E : LCTX_INF;
      powers[64 + i] = first + i < n ? deltas[first + i] : 0.0f;
    }
    __syncthreads();
    float s[32], dp[32];
    const int q = first + 2 * quad, k0 = blockIdx.x * 64;
    for (int i = 0; i < 32; i++) {
      const int query = q + (i >> 2) * 8 + (i & 1), k = i & 2 ? key + 8 : key;
      const bool in = query < n && k < n;
      s[i] = in ? logits[query * n + k] : 0.0f, dp[i] = in ? gradients[query * n + k] : 0.0f;
    }
    const bool far = first + 63 < n && k0 + 63 < n && lctx_far(p, 0, 0, first, first + 63, k0, k0 + 63);
    const float2 *power = (const float2 *)powers + quad, *delta = power + 32;
    if (far && thread == 0) fars[first / 64 * gridDim.x + blockIdx.x] = 1;
    if (far) lctx_far_slopes(s, dp, delta, powers, levels);
    else lctx_near_slopes(p, s, dp, power, delta, powers, levels, 0, 0, q, key, n, n - 1);
    for (int i = 0; i < 32; i++) {
      const int query = q + (i >> 2) * 8 + (i & 1), k = i & 2 ? key + 8 : key;
      if (query < n && k < n) weights[query * n + k] = s[i], slopes[query * n + k] = dp[i];
    }
  }
}
`;
  return callOf(entry.text, text.text, pairs.arguments, 7, ["ceil-div", "length", 64], levelsBytes + 512);
}

function callOf(
  entry: string,
  text: string,
  given: CudaCall["launches"][number]["arguments"],
  buffers: number,
  blocks: CudaCall["launches"][number]["grid"][0],
  sharedBytes: number,
): CudaCall {
  const pointers = Array.from({ length: buffers }, (_, buffer) => ({ kind: "pointer", buffer }) as const);
  const launch = {
    source: 0,
    label: entry,
    grid: [blocks, 1, 1],
    threads: 128,
    cluster: 1,
    sharedBytes,
  } as const;
  return {
    sources: [{ entry, text, architecture: "sm_90a" }],
    buffers,
    scratch: [],
    launches: [{ ...launch, arguments: [...given, ...pointers] }],
  };
}

/** Largest difference from what is wanted, as a share of the largest number that is; NaN counts. */
function worst(given: Float32Array, want: Float64Array): number {
  const size = want.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 1e-30);
  return given.reduce((most, x, i) => {
    if (x === want[i]) return most;
    return Number.isFinite(x) ? Math.max(most, Math.abs(x - want[i]!) / size) : Infinity;
  }, 0);
}

it(`two levels on the host (not run without g++), LCTX_SEED=${seed}`, { timeout: 240_000 }, () => {
  const backward = cases.filter(({ size }) => size >= 16 && size <= 64);
  const compiled = compileForHost([...cases.map(forwardCall), ...backward.map(backwardCall)]);
  if (compiled === null) return;
  const next = randomNumbers(seed);
  const wrong: string[] = [];
  cases.forEach((of, n) => {
    const { attention, gradient } = nodesOf(of);
    const { tokens } = of;
    const name = `blocks of ${of.size} through the ${of.read}, ${tokens} tokens`;
    const unit = Float64Array.from({ length: tokens ** 2 }, (_, i) => (i % (tokens + 1) === 0 ? 1 : 0));
    const logits = Float32Array.from({ length: tokens ** 2 }, () => 60 * (next() - 0.5));
    const upstream = Float32Array.from({ length: tokens ** 2 }, () => next() - 0.5);
    const whole = { shape: [1, tokens, 1, tokens] };
    const inputs = new Map([
      ["query", { ...whole, data: Float64Array.from(logits) }],
      ["key", { ...whole, data: unit }],
      ["value", { ...whole, data: unit }],
      ["upstream", { ...whole, data: Float64Array.from(upstream) }],
    ]);
    const outputs = {
      o: attention,
      lse: resultNode(attention, 1),
      dq: gradient,
      dv: resultNode(gradient, 2),
    };
    const sizes = { batch: 1, length: tokens, "query-start": 0 };
    const found = interpret(graphOf(outputs), inputs, sizes, {});
    const [wantWeights, wantLse] = [found.get("o")!.data, found.get("lse")!.data];
    const launch = { ...sizes, "query-length": tokens, step: 0 };
    const blank = (): Float32Array => new Float32Array(tokens ** 2).fill(NaN);
    const [weights, lse] = [blank(), new Float32Array(tokens).fill(NaN)];
    const fars = new Int32Array(64);
    compiled[n]!([logits, weights, lse, fars], launch);
    const check = (what: string, given: Float32Array, want: Float64Array): void => {
      const error = worst(given, want);
      if (!(error < 1e-5)) wrong.push(`${name}: ${what} ${error}`);
    };
    check("weights", weights, wantWeights);
    check("log-sum-exps", lse, wantLse);
    if (!fars.some((far) => far === 1)) wrong.push(`${name}: no far tile forward`);
    const back = backward.indexOf(of);
    if (back < 0) return;
    const deltas = Float32Array.from({ length: tokens }, (_, q) => {
      let sum = 0;
      for (let k = 0; k < tokens; k++) sum += upstream[q * tokens + k]! * wantWeights[q * tokens + k]!;
      return sum;
    });
    const [again, slopes, steps] = [blank(), blank(), new Int32Array(64)];
    compiled[cases.length + back]!(
      [logits, upstream, Float32Array.from(wantLse), deltas, again, slopes, steps],
      launch,
    );
    check("weights backward", again, wantWeights);
    check(
      "slopes",
      slopes,
      found.get("dq")!.data.map((x) => x / scale),
    );
    if (!steps.some((far) => far === 1)) wrong.push(`${name}: no far step backward`);
  });
  expect(wrong).toEqual([]);
});
