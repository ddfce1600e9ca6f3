/** Selections as cases for CUDA calls. */
import { selectCall } from "../../compiler/backends/cuda/folds/select-call.ts";
import * as e from "../../compiler/ir/expr.ts";
import { lengthSize } from "../../compiler/ir/graph-axes.ts";
import { selectNode, type SelectParts } from "../../compiler/ir/graph-build-pairs.ts";
import { axis } from "../../compiler/ir/graph-build.ts";
import type { NodeOf } from "../../compiler/ir/graph-operands.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { b, causal, floorDiv, h, k, q, t } from "../support/pair-cases.ts";
import type { NodeCase } from "./check-nodes.ts";
import { y } from "./selection-cases.ts";

const [heads, groups] = [axis("h", 4), axis("g", 2)];
const blocks = axis("n", lengthSize(0, 8));
const table = leaf("table", [b, heads, y]);
const overAll = { rows: t, heads };

/** The cases at the given head size. */
export function selectCases(d: number): readonly NodeCase[] {
  const parts: SelectParts = {
    query: leaf("query", [b, t, heads, axis("d", d)]),
    key: leaf("key", [b, y, groups, axis("d", d)]),
    scale: 0.5,
    body: e.logit,
    where: causal,
    always: e.bool(false),
    choose: { kind: "top", count: e.int(5) },
    buffers: [],
    candidates: lengthSize(),
  };
  const noLogit = { ...parts, query: null, key: null, buffers: [table] };
  const top = (n: number): Pick<SelectParts, "choose"> => ({ choose: { kind: "top", count: e.int(n) } });
  const nodes: Readonly<Record<string, NodeOf<"select">>> = {
    "select top": selectNode(parts, overAll, "s"),
    "select top with forced ones, by head": selectNode(
      {
        ...parts,
        body: e.neg(e.logit),
        always: e.lt(e.sub(q, k), e.int(3)),
        choose: { kind: "top", count: e.sub(e.mul(h, e.int(3)), e.int(1)) },
      },
      overAll,
      "s",
    ),
    "select above": selectNode(
      {
        ...parts,
        always: e.eq(e.binary("mod", k, e.int(9)), e.int(0)),
        choose: { kind: "above", threshold: e.toReal(h) },
      },
      overAll,
      "s",
    ),
    "select top, more for later rows": selectNode(
      { ...parts, choose: { kind: "top", count: e.add(floorDiv(q, 5), h) } },
      overAll,
      "s",
    ),
    "select above, less for later rows": selectNode(
      { ...parts, choose: { kind: "above", threshold: e.div(e.real(8), e.toReal(e.add(q, e.int(1)))) } },
      overAll,
      "s",
    ),
    "select among blocks": selectNode(
      {
        ...parts,
        key: leaf("block-key", [b, blocks, groups, axis("d", d)]),
        where: e.le(e.mul(k, e.int(8)), q),
        candidates: blocks.size,
      },
      overAll,
      "s",
    ),
    "select for blocks of rows": selectNode(
      {
        ...parts,
        query: leaf("block-query", [b, blocks, heads, axis("d", d)]),
        where: e.le(floorDiv(k, 8), q),
        ...top(17),
      },
      { rows: blocks, heads },
      "s",
    ),
    "select by head from a table": selectNode(
      { ...noLogit, body: e.load(0, [h, k]), where: e.bool(true), ...top(40) },
      { rows: null, heads },
      "s",
    ),
    "select with what is no number": selectNode(
      {
        ...noLogit,
        body: e.select(e.lt(e.load(0, [h, k]), e.real(0)), e.unary("log", e.real(-1)), e.load(0, [h, k])),
        where: e.lt(e.int(1), k),
        ...top(90),
      },
      { rows: null, heads },
      "s",
    ),
    "select by row alone": selectNode(
      { ...noLogit, body: e.neg(e.toReal(e.unary("abs", e.sub(e.sub(q, k), e.int(4))))) },
      { rows: t, heads: null },
      "s",
    ),
    "select for all": selectNode(
      { ...noLogit, body: e.load(0, [e.int(1), k]), where: e.bool(true) },
      { rows: null, heads: null },
      "s",
    ),
    "select among more than are kept": selectNode(
      {
        ...parts,
        query: null,
        key: null,
        body: e.toReal(e.binary("mod", e.mul(k, e.int(7919)), e.int(4999))),
        where: e.bool(true),
        candidates: { kind: "fixed", value: 5000 },
        ...top(1300),
      },
      { rows: null, heads },
      "s",
    ),
  };
  return Object.entries(nodes).map(([name, node]) => ({
    name,
    node,
    call: (element) => selectCall(node, element),
  }));
}
