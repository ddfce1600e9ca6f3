/** Folds over blocks of an axis and their adjoint as cases for CUDA calls. */
import { blockCall } from "../../compiler/backends/cuda/folds/block-call.ts";
import { lengthSize } from "../../compiler/ir/graph-axes.ts";
import { blockReduceNode, blockSpreadNode } from "../../compiler/ir/graph-build-pairs.ts";
import { axis } from "../../compiler/ir/graph-build.ts";
import type { NodeOf } from "../../compiler/ir/graph-operands.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { b, t } from "../support/pair-cases.ts";
import type { NodeCase } from "./check-nodes.ts";
import { whole } from "./selection-cases.ts";

const heads = axis("h", 4);
const rows = leaf("rows", [b, t, heads, axis("i", 5)]);
const blocks = leaf("blocks", [b, axis("n", lengthSize(0, 8)), heads]);
const few = leaf("few", [b, axis("j", 3)]);

const nodes: Readonly<Record<string, NodeOf<"block-reduce"> | NodeOf<"block-spread">>> = {
  ...Object.fromEntries(
    (["sum", "mean", "max", "min"] as const).flatMap((op) => [
      [`block ${op} of tokens`, blockReduceNode(op, rows, "t", 7, "block")],
      [`block ${op} of the last axis`, blockReduceNode(op, rows, "i", 2, "block", "j")],
    ]),
  ),
  "block mean of many tokens": blockReduceNode("mean", rows, "t", 41, "block"),
  "block max of whole numbers": blockReduceNode("max", whole("ids", [b, t]), "t", 4, "block"),
  "block spread": blockSpreadNode(blocks, "n", 8, t, "spread"),
  "block spread of the last axis": blockSpreadNode(few, "j", 2, axis("i", 5), "spread"),
};

export const blockCases: readonly NodeCase[] = Object.entries(nodes).map(([name, node]) => ({
  name,
  node,
  call: (element) => blockCall(node, element),
}));
