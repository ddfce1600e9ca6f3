/** The Hopper attention kernels as far as they can be judged without the processor: they compile for it, unserialised and without spills. */
import { describe, expect, it } from "vitest";
import {
  sm90BackwardCall,
  sm90ForwardCall,
  sm90Refusal,
} from "../../compiler/backends/cuda/sm90/attention-call.ts";
import {
  backwardLayout,
  backwardLimit,
  backwardTile,
} from "../../compiler/backends/cuda/sm90/backward-shape.ts";
import {
  forwardLayout,
  forwardLimit,
  forwardRegionsLimit,
  forwardTile,
  mostShared,
} from "../../compiler/backends/cuda/sm90/forward-shape.ts";
import { risesSteadily, splitPositions } from "../../compiler/backends/cuda/sm90/score-forms.ts";
import { exprEvaluator, noValues } from "../../compiler/ir/evaluate-expr.ts";
import * as e from "../../compiler/ir/expr.ts";
import { axis } from "../../compiler/ir/graph-build.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import type { CudaSource } from "../../runtime/device/cuda/launch.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { attentionCase } from "./attention-cases.ts";
import { compileAll, hasDisassembler, hasNvcc, type Compiled } from "./nvcc.ts";
import { selectionCases } from "./selection-cases.ts";

const sizes = (d: number, heads = 4, groups = 2) => ({ heads, groups, d, e: d });
const head = (n: number, m = n) => ({ heads: 2, groups: 1, d: n, e: m });

describe("Hopper attention kernels", () => {
  const cases = [
    { name: "documents", d: 64, element: "f16", widths: [128, 64] },
    { name: "slopes", d: 128, element: "bf16", trains: true, widths: [128, 64] },
    { name: "blocks:256", d: 128, element: "bf16", widths: [128, 64] },
    { name: "capped", d: 96, element: "bf16", widths: [128, 96, 64] },
    { name: "regions:1024", d: 128, element: "bf16", widths: [128, 64] },
    { name: "landmark:64", d: 128, element: "bf16", widths: [128, 64] },
  ] as const;
  /** Bytes a thread may spill: in steps at the edge of a two-level mask, a few in a hundred, that hold words of what pairs are for. */
  const known: Readonly<Record<string, number>> = {
    "landmark:64 lctx_attention_forward": 8,
    "landmark:64 lctx_attention_backward": 64,
  };

  it.skipIf(!hasNvcc)(
    "compile without warnings, spills or serialised products (not run without nvcc)",
    { timeout: 120_000 },
    async () => {
      const sources = cases.flatMap((of): { of: (typeof cases)[number]; source: CudaSource }[] => {
        const { attention, gradient } = attentionCase(of.name, sizes(of.d), "trains" in of);
        const calls = [
          sm90ForwardCall(attention, blockFacts(attention), of.element),
          sm90BackwardCall(gradient, blockFacts(gradient), of.element),
        ];
        // The kernels before and after the backward one hang on the element and head size alone.
        const wanted = of.name === "documents" ? /./ : /forward|backward|blocks|table/;
        return calls
          .flatMap((call) => call.sources)
          .filter(({ entry }) => wanted.test(entry))
          .map((source) => ({ of, source }));
      });
      const wrong: string[] = [];
      const check = ({ of, source }: (typeof sources)[number], { log, assembly }: Compiled): void => {
        const where = `${of.name} ${of.d} ${source.entry}`;
        if (/warning|error|C7\d\d\d/i.test(log)) wrong.push(`${where}: ${log}`);
        const spilled = /(\d+) bytes spill stores, (\d+) bytes spill loads/.exec(log);
        const most = known[`${of.name} ${source.entry}`] ?? 0;
        if (spilled === null || Math.max(Number(spilled[1]), Number(spilled[2])) > most)
          wrong.push(`${where} spills: ${log}`);
        if (!hasDisassembler || !/forward|backward/.test(source.entry)) return;
        const found = new Set([...assembly.matchAll(/HGMMA\.64x(\d+)x16/g)].map((match) => Number(match[1])));
        const strange = [...found].filter((width) => !(of.widths as readonly number[]).includes(width));
        if (found.size === 0 || strange.length > 0)
          wrong.push(`${where}: products of ${[...found].join()} columns`);
      };
      await compileAll(sources, check, { disassembled: true });
      expect(wrong).toEqual([]);
    },
  );

  it("fit the processor's registers and shared memory at every head size", () => {
    const wrong: string[] = [];
    /** Registers are given to threads in eights; what one warpgroup returns is all that the others can get. */
    const fits = (threads: number, [loads, computes]: readonly [number, number]): boolean => {
      const own = Math.floor(65536 / threads / 8) * 8;
      return loads * 128 + computes * (threads - 128) <= own * threads && loads <= own && computes >= own;
    };
    for (let d = 16; d <= forwardLimit; d += 16)
      for (let width = 16; width <= forwardLimit; width += 16) {
        const shape = head(d, width);
        for (const [masked, looksUp] of [
          [true, false],
          [true, true],
          [false, false],
        ] as const) {
          const tile = forwardTile(shape, masked, looksUp);
          const { threads, sharedBytes } = forwardLayout(shape, tile);
          if (!fits(threads, tile.registers) || sharedBytes > mostShared) wrong.push(`forward ${d} ${width}`);
          const several = masked && Math.max(d, width) <= forwardRegionsLimit;
          if (several && forwardLayout(shape, tile, 2).sharedBytes > mostShared)
            wrong.push(`forward ${d} ${width} of several regions`);
        }
        if (Math.max(d, width) > backwardLimit) continue;
        const tile = backwardTile(shape);
        for (const regions of [1, 2]) {
          const { threads, sharedBytes, notes } = backwardLayout(shape, tile, regions);
          if (!fits(threads, tile.registers) || sharedBytes > mostShared || notes % 16 !== 0)
            wrong.push(`backward ${d} ${width} of ${regions} regions`);
        }
      }
    expect(wrong).toEqual([]);
  });

  it("say what they do not take", () => {
    const { attention, gradient } = attentionCase("causal", sizes(128));
    expect(sm90Refusal(attention)).toBeNull();
    expect(sm90Refusal(gradient)).toBeNull();
    expect(sm90Refusal(attentionCase("causal", sizes(40)).attention)).toMatch(/multiple of 16/);
    expect(sm90Refusal(attentionCase("causal", sizes(256)).attention)).toBeNull();
    expect(sm90Refusal(attentionCase("causal", sizes(256)).gradient)).toMatch(/over 128/);
    const several = (count: number) => Array.from({ length: count }, () => attention.regions[0]!);
    for (const node of [attention, gradient]) {
      expect(sm90Refusal({ ...node, regions: several(2) })).toBeNull();
      expect(sm90Refusal({ ...node, regions: several(5) })).toMatch(/more than 4 rotation regions/);
    }
    expect(sm90Refusal({ ...attention, regions: several(4) })).toBeNull();
    expect(sm90Refusal({ ...gradient, regions: several(3) })).toMatch(/3 rotation regions of this head size/);
    const wide = attentionCase("regions:100", sizes(144));
    expect(sm90Refusal(wide.attention)).toMatch(/over 128/);
    const choices = selectionCases(64, 64).filter(({ name }) => name.includes("ranks"));
    expect(choices.length).toBeGreaterThan(0);
    for (const of of choices) expect(sm90Refusal(of.gradient)).toMatch(/reads a set/);
    const levels = (name: string) => attentionCase(name, sizes(128));
    expect(sm90Refusal(levels("landmark:64").attention)).toBeNull();
    expect(sm90Refusal(levels("landmark:64").gradient)).toBeNull();
    expect(sm90Refusal(levels("landmark:128").attention)).toBeNull();
    expect(sm90Refusal(levels("landmark:128").gradient)).toMatch(/blocks of 128/);
    expect(sm90Refusal(levels("landmark:60").attention)).toMatch(/blocks of 60/);
    const both = attentionCase("landmark:64", sizes(128), false, 100);
    for (const node of [both.attention, both.gradient])
      expect(sm90Refusal(node)).toMatch(/a weight over several rotation regions/);
    const { weight } = levels("landmark:64").attention;
    const bent = weight!.cases.map((one) => ({ ...one, factor: e.real(0.5) }));
    expect(sm90Refusal({ ...attention, weight: { ...weight!, cases: bent } })).toMatch(/two levels/);
    const early = leaf("early", [axis("p", 2), axis("g", 2), axis("d", 128)]);
    expect(sm90Refusal({ ...attention, prepended: { key: early, value: early } })).toMatch(/before the text/);
  });

  it("take the node's buffers in the order of the sm_80 calls", () => {
    const { gradient } = attentionCase("slopes", sizes(64), true);
    const call = sm90BackwardCall(gradient, blockFacts(gradient), "bf16");
    // Queries, keys, values, slopes; output, log-sum-exp, its gradient; three gradients and the table's.
    expect(call.buffers).toBe(11);
    for (const launch of call.launches)
      for (const argument of launch.arguments)
        if ("buffer" in argument) expect(argument.buffer).toBeLessThan(call.buffers + call.scratch.length);
    expect(call.launches.at(-1)!.arguments[1]).toEqual({ kind: "pointer", buffer: 10 });
  });

  it("tell scores that rise steadily along the keys", () => {
    const [q, k, h] = [e.index("q"), e.index("k"), e.index("h")];
    const far = e.toReal(e.sub(q, k));
    const rate = e.load(0, [h]);
    const steady = [
      e.sub(e.logit, e.mul(rate, far)),
      e.add(e.mul(e.div(far, e.real(3)), rate), e.add(e.logit, e.load(1, [h]))),
    ];
    const not = [
      e.sub(e.logit, e.mul(far, far)),
      e.sub(e.logit, e.mul(rate, e.toReal(q))),
      e.sub(e.mul(rate, far), e.logit),
      e.mul(e.logit, rate),
      e.add(e.logit, e.unary("log", e.add(far, e.real(1)))),
      e.add(e.logit, e.load(0, [e.sub(q, k)])),
      e.add(e.logit, e.div(rate, far)),
      e.add(e.logit, e.mul(far, e.logit)),
    ];
    expect([...steady, ...not].map(risesSteadily)).toEqual([
      ...steady.map(() => true),
      ...not.map(() => false),
    ]);
  });

  it("convert positions one by one to the same score", () => {
    const [q, k] = [e.index("q"), e.index("k")];
    const score = e.add(e.logit, e.mul(e.real(0.25), e.toReal(e.neg(e.sub(e.sub(q, e.int(3)), k)))));
    const split = splitPositions(score);
    expect(split).not.toBe(score);
    const at = (of: e.Expr, query: number, key: number): number =>
      exprEvaluator(of)({
        ...noValues,
        index: (name) => (name === "q" ? query : key),
        logit: () => 0.5,
      }) as number;
    for (const [query, key] of [
      [0, 0],
      [9, 4],
      [70_000, 3],
    ] as const)
      expect(at(split, query, key)).toBe(at(score, query, key));
  });
});
