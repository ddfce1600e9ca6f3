/** What an attention on a GPU should take, from its work and a stated rate. */
import { shapeOf } from "../backends/cuda/attention/shape.ts";
import { elementBytes, type AttentionElement } from "../backends/cuda/element.ts";
import type { PlannedCall } from "../backends/cuda/plan-attention.ts";
import { exprEvaluator, noValues } from "../ir/evaluate-expr.ts";
import { someExpr } from "../ir/expr.ts";
import type { AttentionGradientNode, AttentionNode } from "../ir/graph.ts";
import { blockFacts } from "../passes/analyses/block-facts.ts";

export interface RunSizes {
  readonly batch: number;
  readonly length: number;
}

export interface Expected {
  readonly milliseconds: number;
  /** Work and rate, for people. */
  readonly basis: string;
}

/**
 * TFLOP/s of one H100. Those of sm_90a are what long dense cases reached (docs/performance.md); the others were not
 * measured: 0.3 of the 989 of dense 16-bit products with the older instructions, half of the 67 of f32.
 */
const rates = {
  sm90: { forward: 560, backward: 470 },
  sm80: { forward: 300, backward: 250 },
  f32: { forward: 33, backward: 27 },
} as const;

/** Bytes a second that copies reach on an H100, and what of it the decode kernels aim at. */
const decodeRate = 0.8 * 3.0e12;

/** Milliseconds that a launch takes whatever its work, not measured. */
const launchTime = 0.004;

const block = 128;
/** Blocks of queries that are looked at; of longer rows, these are spread evenly. */
const sampled = 64;

/** Share of pairs in blocks that are worth visiting; null when the mask reads data. */
function visibleShare(
  node: AttentionNode | AttentionGradientNode,
  { batch, length }: RunSizes,
): number | null {
  const { any } = blockFacts(node).mask;
  if (someExpr(any, ({ kind }) => kind === "load" || kind === "scalar")) return null;
  const evaluate = exprEvaluator(any);
  const sizes: Readonly<Record<string, number>> = {
    batch,
    length,
    "query-length": length,
    "query-start": 0,
    step: 0,
  };
  const blocks = Math.ceil(length / block);
  const rows = Math.min(blocks, sampled);
  let seen = 0;
  for (let n = 0; n < rows; n++) {
    const i = Math.floor(((n + 0.5) * blocks) / rows);
    for (let j = 0; j < blocks; j++) {
      const corners: Readonly<Record<string, number>> = {
        q0: i * block,
        q1: Math.min(length, (i + 1) * block) - 1,
        k0: j * block,
        k1: Math.min(length, (j + 1) * block) - 1,
        h: 0,
      };
      const value = evaluate({ ...noValues, index: (name) => corners[name]!, size: (name) => sizes[name]! });
      if (value !== 0) seen += i === j ? 0.5 : 1;
    }
  }
  return seen / (rows * blocks);
}

/** The forward or backward pass of a node, in so many launches. */
export function expectedTime(
  node: AttentionNode | AttentionGradientNode,
  path: PlannedCall["path"],
  element: AttentionElement,
  sizes: RunSizes,
  launches: number,
): Expected {
  const start = launches * launchTime;
  const after = `, and ${1000 * launchTime} µs a launch`;
  const { heads, groups, depth, width } = shapeOf(node);
  if (path === "decode") {
    const bytes = sizes.batch * sizes.length * groups * (depth + width) * elementBytes(element);
    return {
      milliseconds: (1e3 * bytes) / decodeRate + start,
      basis: `${(bytes / 1e6).toPrecision(3)} MB of keys and values at ${decodeRate / 1e12} TB/s${after}`,
    };
  }
  const direction = node.kind === "attention" ? "forward" : "backward";
  const rate = (element === "f32" ? rates.f32 : rates[path])[direction];
  const share = visibleShare(node, sizes);
  const passes = direction === "forward" ? 1 : 2.5;
  const work = passes * 2 * (depth + width) * heads * sizes.batch * sizes.length ** 2 * (share ?? 1);
  const stated = path === "sm90" ? "" : ", a rate not measured";
  return {
    milliseconds: work / rate / 1e9 + start,
    basis: `${(work / 1e9).toPrecision(3)} GFLOP at ${rate} TFLOP/s of an H100${stated}${after}${share === null ? "; the mask reads data, every pair counted" : ""}`,
  };
}
