/** The plan of attention of few queries: what it compiles to, what it reads, how it splits, and when it is taken. */
import { describe, expect, it } from "vitest";
import {
  attentionDecodeCall,
  decodeRefusal,
  type DecodeOptions,
} from "../../compiler/backends/cuda/decode/decode-call.ts";
import { prefersDecode } from "../../compiler/backends/cuda/decode/prefers-decode.ts";
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import { planAttention } from "../../compiler/backends/cuda/plan-attention.ts";
import * as e from "../../compiler/ir/expr.ts";
import { attentionNode, axis, batchAxis, tokenAxis } from "../../compiler/ir/graph-build.ts";
import type { AttentionNode } from "../../compiler/ir/graph.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { evaluateLaunchSize, type LaunchSizes } from "../../runtime/device/cuda/launch.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { attentionCase } from "./attention-cases.ts";
import { compileForHost } from "./host-device.ts";
import { compileAll, hasNvcc } from "./nvcc.ts";

interface Shape {
  readonly heads?: number;
  readonly groups?: number;
  readonly depth?: number;
  readonly queries?: number;
  readonly regions?: number;
  readonly mask?: e.Expr;
}

const [q, k, h] = [e.index("q"), e.index("k"), e.index("h")];
const causal = e.le(k, q);
const window = (n: e.Expr): e.Expr => e.and(causal, e.lt(e.sub(q, k), n));

function nodeOf({
  heads = 4,
  groups = 2,
  depth = 16,
  queries = 1,
  regions = 1,
  mask = causal,
}: Shape): AttentionNode {
  const cache = [batchAxis, tokenAxis, axis("g", groups)];
  return attentionNode(
    {
      regions: Array.from({ length: regions }, (_, n) => ({
        query: leaf(`query${n}`, [batchAxis, axis("t", queries), axis("h", heads), axis("d", depth)]),
        key: leaf(`key${n}`, [...cache, axis("d", depth)]),
        when: n === regions - 1 ? e.bool(true) : e.lt(e.sub(q, k), e.int(100 * (n + 1))),
      })),
      value: leaf("value", [...cache, axis("e", depth)]),
      mask,
      score: e.logit,
      buffers: [],
      scale: 1 / Math.sqrt(depth),
      prepended: null,
    },
    "attention",
  );
}

const callOf = (shape: Shape, element: AttentionElement = "f32", options: DecodeOptions = {}) => {
  const node = nodeOf(shape);
  return attentionDecodeCall(node, blockFacts(node), element, options);
};

describe("kernels of attention of few queries", () => {
  const cases: readonly (readonly [AttentionElement, Shape, DecodeOptions])[] = [
    ["bf16", { heads: 64, groups: 8, depth: 128 }, {}],
    ["f16", { heads: 16, groups: 16, depth: 256 }, { page: 16 }],
    ["f32", { heads: 8, groups: 2, depth: 256, queries: 4 }, {}],
    ["bf16", { heads: 8, groups: 2, depth: 72, mask: window(e.add(h, e.int(7))), regions: 2 }, { page: 64 }],
  ];
  it.skipIf(!hasNvcc)(
    "compile for sm_80 without spills (not run without nvcc)",
    { timeout: 120_000 },
    async () => {
      const sources = cases.flatMap(([element, shape, options]) =>
        callOf(shape, element, options).sources.map((source) => ({
          source,
          where: [element, shape, options],
        })),
      );
      await compileAll(sources, ({ source, where }, { log }) => {
        const of = `${JSON.stringify(where)}, ${source.entry}: ${log}`;
        expect(source.architecture).toBe("sm_80");
        expect(log, of).toMatch(/\b0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads/);
        expect(log, of).not.toMatch(/warning/i);
      });
    },
  );
});

describe("keys that are read", () => {
  const length = 150;
  const depth = 16;
  const queryAt = (i: number): number => Math.fround(Math.cos(i));
  const cacheAt = (i: number): number => Math.fround(Math.sin(i));
  /** Largest error against plain sums over the keys that `sees` shows; `lost` keys and values are NaN. */
  const run = (
    { heads = 4, groups = 2, queries = 1, mask }: Shape,
    sees: (q: number, k: number, h: number) => boolean,
    lost: (k: number) => boolean,
  ): number | null => {
    const compiled = compileForHost([callOf({ heads, groups, queries, mask: mask! })]);
    if (compiled === null) return null;
    const cache = (): Float32Array =>
      Float32Array.from({ length: length * groups * depth }, (_, i) =>
        lost(Math.floor(i / (groups * depth))) ? NaN : cacheAt(i),
      );
    const query = Float32Array.from({ length: queries * heads * depth }, (_, i) => queryAt(i));
    const output = new Float32Array(queries * heads * depth).fill(NaN);
    compiled[0]!([query, cache(), cache(), output, new Float32Array(queries * heads)], {
      batch: 1,
      length,
      "query-length": queries,
      "query-start": length - queries,
      step: 0,
      multiprocessors: 3,
    });
    let most = 0;
    for (let row = 0; row < queries * heads; row++) {
      const [t, own] = [length - queries + Math.floor(row / heads), row % heads];
      const sum = new Float64Array(depth);
      let total = 0;
      for (let key = 0; key < length; key++) {
        if (!sees(t, key, own)) continue;
        const first = (key * groups + Math.floor(own / (heads / groups))) * depth;
        const logit = sum.reduce((dot, _, d) => dot + queryAt(row * depth + d) * cacheAt(first + d), 0);
        const weight = Math.exp(logit / Math.sqrt(depth));
        total += weight;
        sum.forEach((x, d) => (sum[d] = x + weight * cacheAt(first + d)));
      }
      sum.forEach((x, d) => {
        const error = Math.abs(output[row * depth + d]! - x / total);
        most = Math.max(most, Number.isNaN(error) ? Infinity : error);
      });
    }
    return most;
  };
  const near = 1e-5;
  it("are the blocks that a window shows (not run without g++)", { timeout: 60_000 }, () => {
    const shape = { mask: window(e.int(20)), queries: 2 };
    const sees = (own: number, key: number): boolean => key <= own && own - key < 20;
    // Query 148 sees keys from 129: their blocks of 16 begin at 128.
    const error = run(shape, sees, (key) => key < 128);
    if (error === null) return;
    expect(error).toBeLessThan(near);
    expect(run(shape, sees, (key) => key < 135)).toBe(Infinity);
  });
  it("are the blocks of several runs (not run without g++)", { timeout: 60_000 }, () => {
    const first = e.lt(k, e.int(5));
    const middle = e.and(e.le(e.int(60), k), e.lt(k, e.int(70)));
    const mask = e.or(e.or(first, middle), window(e.int(20)));
    const sees = (own: number, key: number): boolean => key < 5 || (key >= 60 && key < 70) || own - key < 20;
    const between = (key: number): boolean => (key >= 16 && key < 48) || (key >= 80 && key < 128);
    const error = run({ mask }, sees, between);
    if (error !== null) expect(error).toBeLessThan(near);
  });
  it("are the blocks that some head shows (not run without g++)", { timeout: 60_000 }, () => {
    const shape = { mask: window(e.mul(e.int(10), e.add(h, e.int(1)))), groups: 1 };
    const sees = (own: number, key: number, head: number): boolean => own - key < 10 * (head + 1);
    const error = run(shape, sees, (key) => key < 96);
    if (error !== null) expect(error).toBeLessThan(near);
  });
});

describe("splits", () => {
  const sizes = (batch: number, length: number): LaunchSizes => ({ batch, length, multiprocessors: 132 });
  const splits = (shape: Shape, batch: number, length: number): number =>
    evaluateLaunchSize(callOf(shape, "bf16").launches[0]!.grid[0], sizes(batch, length));
  const gqa = { heads: 64, groups: 8, depth: 128 };
  it("fill the GPU in whole rounds whatever the batch", () => {
    for (const batch of [1, 2, 3, 5, 8, 13, 32, 100]) {
      const blocks = batch * 8 * splits(gqa, batch, 131_072);
      expect(blocks / (264 * Math.ceil(blocks / 264))).toBeGreaterThan(0.88);
    }
  });
  it("are few for few keys and at least one", () => {
    expect(splits(gqa, 1, 1)).toBe(1);
    expect(splits(gqa, 1, 256)).toBe(2);
    expect(splits({ ...gqa, heads: 8, groups: 1 }, 1, 2 ** 20)).toBe(128);
  });
  it("and pages are checked, and what does not fit is refused", () => {
    expect(decodeRefusal(nodeOf({ depth: 256, regions: 4 }), "f32")).toMatch(/4 rotation regions/);
    expect(decodeRefusal(nodeOf({ depth: 256, regions: 2 }), "f32")).toBeNull();
    expect(() => callOf({}, "f32", { page: 24 })).toThrow(/power of two/);
    expect(() => callOf({}, "f32", { page: 8 })).toThrow(/at least 16/);
    expect(() => callOf({}, "f32", { splits: 129 })).toThrow(/1 to 128/);
    expect(() => callOf({ depth: 256, regions: 4 })).toThrow(/do not fit in shared memory/);
  });
});

describe("the path of few queries", () => {
  it("is taken for few queries over many keys", () => {
    const prefers = (queries: number, length: number): boolean =>
      prefersDecode(nodeOf({ queries }), { batch: 1, length });
    expect([prefers(1, 4096), prefers(16, 256), prefers(17, 4096), prefers(1, 255)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it("is planned where sizes are known, and the reason told", () => {
    const { attention: full, gradient } = attentionCase("causal", { heads: 4, groups: 2, d: 64, e: 64 });
    const pathAt = (node: AttentionNode, path: "auto" | "sm80", length: number) => {
      const sizes = { batch: 1, length };
      return planAttention(node, gradient, blockFacts(node), "bf16", { path, hopper: true, sizes })!.forward;
    };
    expect(pathAt(nodeOf({}), "auto", 4096)).toMatchObject({
      path: "decode",
      reason: expect.stringMatching(/at most 16 queries/) as string,
    });
    expect(pathAt(nodeOf({}), "auto", 100).path).toBe("sm90");
    expect(pathAt(nodeOf({}), "sm80", 4096).path).toBe("sm80");
    expect(pathAt(full, "auto", 4096).path).toBe("sm90");
  });
});
