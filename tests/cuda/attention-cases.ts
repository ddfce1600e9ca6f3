/** Attention nodes of well-known masks and scores, at given head sizes, for tests and measurements of CUDA kernels. */
import { attentionSlopes } from "../../compiler/ir/attention-slopes.ts";
import { derivative, realLoads } from "../../compiler/ir/derivative.ts";
import * as e from "../../compiler/ir/expr.ts";
import {
  attentionGradientNode,
  attentionNode,
  axis,
  batchAxis,
  inputNode,
  tokenAxis,
} from "../../compiler/ir/graph-build.ts";
import type { NodeOf } from "../../compiler/ir/graph-operands.ts";
import type { Node } from "../../compiler/ir/graph.ts";
import type { Weight } from "../../compiler/ir/weight.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { twoLevelWeight } from "../conformance/support/random-weighted-specs.ts";

export interface HeadSizes {
  readonly heads: number;
  readonly groups: number;
  readonly d: number;
  readonly e: number;
}

export interface AttentionCase {
  readonly attention: NodeOf<"attention">;
  readonly gradient: NodeOf<"attention-gradient">;
}

const [q, k, h] = [e.index("q"), e.index("k"), e.index("h")];
const causal = e.le(k, q);
const near = (span: number): e.Expr => e.lt(e.sub(q, k), e.int(span));
const cap = e.real(20);

interface Rule {
  readonly mask: e.Expr;
  readonly score?: e.Expr;
  readonly weight?: Weight;
  readonly buffers?: (sizes: HeadSizes) => readonly Node[];
  /** Pairs closer than this are a rotation region of their own. */
  readonly near?: number;
}

/** Rules by name; a span of a window or a prefix, or the keys of a block, is the number after a colon. */
function ruleOf(name: string): Rule {
  const [kind, span] = name.split(":");
  const n = Number(span);
  switch (kind) {
    case "full":
      return { mask: e.bool(true) };
    case "causal":
      return { mask: causal };
    case "regions":
      return { mask: causal, near: n };
    case "window":
      return { mask: e.and(causal, near(n)) };
    case "sinks":
      return { mask: e.and(causal, e.or(near(n), e.lt(k, e.int(4)))) };
    case "prefix":
      return { mask: e.or(causal, e.lt(k, e.int(n))) };
    case "every":
      return { mask: e.and(causal, e.eq(e.binary("mod", k, e.int(n)), e.int(0))) };
    case "blocks": {
      const block = (x: e.Expr): e.Expr => e.binary("floor-div", x, e.int(128));
      return {
        mask: e.and(causal, e.load(0, [block(q), block(k)], "bool")),
        buffers: () => [leaf("blocks", [axis("qb", n), axis("kb", n)])],
      };
    }
    case "documents":
      return {
        mask: e.and(causal, e.eq(e.load(0, [q], "int"), e.load(0, [k], "int"))),
        buffers: () => [inputNode("documents"), inputNode("starts")],
      };
    case "slopes":
      return {
        mask: causal,
        score: e.add(e.logit, e.mul(e.load(0, [h]), e.toReal(e.sub(k, q)))),
        buffers: ({ heads }) => [leaf("slopes", [axis("h", heads)])],
      };
    case "buckets":
      return {
        mask: causal,
        score: e.add(
          e.logit,
          e.load(0, [e.binary("min", e.binary("floor-div", e.sub(q, k), e.int(16)), e.int(31)), h]),
        ),
        buffers: ({ heads }) => [leaf("biases", [axis("bucket", 32), axis("h", heads)])],
      };
    case "landmark":
      return { mask: causal, weight: twoLevelWeight(n, "last") };
    case "capped":
      return { mask: causal, score: e.mul(cap, e.unary("tanh", e.div(e.logit, cap))) };
    default:
      throw new Error(`no rule is called ${name}`);
  }
}

/** The attention and its gradient; with `trains`, tables of reals get gradients. `close`: a region for pairs closer than that. */
export function attentionCase(name: string, sizes: HeadSizes, trains = false, close?: number): AttentionCase {
  const { mask, score = e.logit, weight = null, buffers = () => [], near: own = close } = ruleOf(name);
  const token = [batchAxis, tokenAxis];
  const whens = [...(own === undefined ? [] : [near(own)]), e.bool(true)];
  const attention = attentionNode(
    {
      regions: whens.map((when, r) => ({
        query: leaf(r === 0 ? "query" : `query${r}`, [...token, axis("h", sizes.heads), axis("d", sizes.d)]),
        key: leaf(r === 0 ? "key" : `key${r}`, [...token, axis("g", sizes.groups), axis("d", sizes.d)]),
        when,
      })),
      value: leaf("value", [...token, axis("g", sizes.groups), axis("e", sizes.e)]),
      mask,
      score,
      weight,
      buffers: buffers(sizes),
      scale: 1 / Math.sqrt(sizes.d),
      prepended: null,
    },
    "attention",
  );
  const gradient = attentionGradientNode(
    attention,
    leaf("output-gradient", attention.axes),
    {
      ...attentionSlopes(attention, () => false),
      bufferGradients: realLoads(trains ? score : e.logit).map((load) => ({
        buffer: load.buffer,
        loads: [{ indices: load.indices, slope: derivative(score, load) }],
      })),
    },
    "gradient",
  );
  return { attention, gradient };
}
