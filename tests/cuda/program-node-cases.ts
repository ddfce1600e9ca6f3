/** Nodes that are neither products nor rows, as cases for their CUDA calls in a program: odd sizes, one result of several. */
import * as e from "../../compiler/ir/expr.ts";
import { lengthSize } from "../../compiler/ir/graph-axes.ts";
import { runningSumNode } from "../../compiler/ir/graph-build-pairs.ts";
import * as build from "../../compiler/ir/graph-build.ts";
import { nodeResults } from "../../compiler/ir/graph-results.ts";
import type { Node, RotateNode } from "../../compiler/ir/graph.ts";
import type { Wanted } from "../../compiler/backends/cuda/program/node-calls.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { blockCases } from "./block-cases.ts";
import { foldCases } from "./fold-cases.ts";
import { selectCases } from "./select-cases.ts";
import { selectionCases, whole } from "./selection-cases.ts";

export interface ProgramCase {
  readonly name: string;
  readonly node: Node;
  readonly wanted: Wanted;
}

const { axis, batchAxis: b, tokenAxis: t } = build;
const [x, m, h] = [e.index("x"), e.index("m"), e.index("h")];
const angle = e.binary("pow", e.real(10_000), e.div(e.mul(e.real(-2), e.toReal(m)), e.real(12)));
const one = e.real(1);

type Law = Pick<RotateNode, "position" | "angle" | "scale" | "rotated" | "layout" | "inverse">;
const rotations: readonly Law[] = [
  { position: x, angle, scale: one, rotated: 12, layout: "half", inverse: false },
  { position: x, angle, scale: e.real(1.1), rotated: 12, layout: "interleaved", inverse: true },
  {
    position: e.add(x, e.int(1_000_000)),
    angle: e.div(angle, e.toReal(e.size("length"))),
    scale: one,
    rotated: 8,
    layout: "half",
    inverse: false,
  },
  {
    position: e.binary("min", e.mul(e.sub(x, e.int(5)), e.add(h, e.int(1))), e.int(9)),
    angle,
    scale: e.add(one, e.div(e.toReal(m), e.real(8))),
    rotated: 6,
    layout: "interleaved",
    inverse: false,
  },
  {
    position: e.div(e.toReal(x), e.scalar("factor")),
    angle: e.unary("sigmoid", e.mul(e.toReal(m), e.scalar("factor"))),
    scale: one,
    rotated: 12,
    layout: "half",
    inverse: false,
  },
  { position: x, angle, scale: one, rotated: 0, layout: "half", inverse: false },
];

const tokens = build.inputNode("tokens");
const targets = build.inputNode("targets");
const wide = (name: string, width: number): Node => leaf(name, [b, t, axis("i", width)]);
const heads = (d: number) => [b, t, axis("h", 3), axis("d", d)];
const up = leaf("up", [b, t]);

/** Entries of the largest vocabulary: tokens and targets of a case lie below its own. */
export const vocabulary = 11;

const plain: Readonly<Record<string, Node>> = {
  ...Object.fromEntries(
    rotations.map((law, n) => [`rotation ${n}`, build.rotateNode(leaf("rows", heads(13)), law, "rotate")]),
  ),
  "rotation of rows": build.rotateNode(wide("rows", 12), rotations[0]!, "rotate"),
  gather: build.gatherNode(leaf("table", [axis("v", vocabulary), axis("i", 5)]), "v", tokens, "gather"),
  "gather inside": build.gatherNode(
    leaf("table", [axis("a", 3), axis("v", vocabulary), axis("i", 5)]),
    "v",
    tokens,
    "gather",
  ),
  "gather of whole numbers": build.gatherNode(whole("ids", [axis("v", vocabulary)]), "v", tokens, "gather"),
  scatter: build.scatterNode(wide("v", 70), "v", tokens, [axis("v", vocabulary), axis("i", 70)], "scatter"),
  "scatter into many rows": build.scatterNode(
    wide("v", 3),
    "v",
    tokens,
    [axis("v", 2100), axis("i", 3)],
    "scatter",
  ),
  "scatter inside": build.scatterNode(
    leaf("v", [b, t, axis("a", 3), axis("i", 12)]),
    "v",
    tokens,
    [axis("a", 3), axis("v", 16_500), axis("i", 12)],
    "scatter",
  ),
  reshape: build.reshapeNode(wide("rows", 12), [b, t, axis("h", 3), axis("d", 4)], "reshape"),
  concat: build.concatNode("t", [leaf("early", [axis("t", 4), axis("i", 5)]), wide("late", 5)], "concat"),
  "concat of widths": build.concatNode("i", [wide("left", 5), wide("right", 2), wide("left", 5)], "concat"),
  slice: build.sliceNode(wide("rows", 9), "i", 2, "slice", 4),
  "slice of tokens": build.sliceNode(
    leaf("rows", [b, axis("t", lengthSize(3)), axis("i", 3)]),
    "t",
    3,
    "slice",
  ),
  ...Object.fromEntries(
    [false, true].flatMap((backward) =>
      [false, true].flatMap((exclusive) =>
        (backward === exclusive ? ["t", "d"] : ["t", "h"]).map((along) => [
          `running sum along ${along}${backward ? ", backward" : ""}${exclusive ? ", exclusive" : ""}`,
          runningSumNode(leaf("rows", heads(13)), along, { backward, exclusive }, "sum"),
        ]),
      ),
    ),
  ),
  "running sum of single numbers": runningSumNode(up, "t", { backward: false, exclusive: false }, "sum"),
};

const entropies = [37, 1500].map((width) =>
  build.crossEntropyNode(leaf("logits", [b, t, axis("v", width)]), targets, `loss ${width}`),
);
/** Vocabularies below a tile, of several tiles and parts; widths that are no multiple of four, and of several slices. */
const sizes = [
  [37, 7],
  [1030, 1],
  [8300, 34],
  [300, 36],
] as const;
const headLosses = sizes.map(([entries, width]) =>
  build.headLossNode(
    wide("x", width),
    leaf("weight", [axis("v", entries), axis("i", width)]),
    targets,
    `head ${entries} ${width}`,
  ),
);
const severals: readonly Node[] = [
  ...entropies,
  ...entropies.map((loss) => build.crossEntropyGradientNode(loss, up, `gradient of ${loss.site}`)),
  ...headLosses,
  ...headLosses.map((loss) => build.headLossGradientNode(loss, up, `gradient of ${loss.site}`)),
];

/** What a program changes in calls that are tested elsewhere: names of sizes, results nobody reads. */
const pairs: readonly (readonly [string, Node])[] = [
  ...selectionCases(6, 5)
    .filter(({ name }) => name === "tables of the batch")
    .flatMap(({ name, attention, gradient }): [string, Node][] => [
      [name, attention],
      [`gradient of ${name}`, gradient],
    ]),
  ...[...foldCases(6), ...selectCases(6)]
    .filter(({ name }) => /^log-sum-exp of blocks|column sums by|row maxima|select top$/.test(name))
    .map(({ name, node }): [string, Node] => [name, node]),
  ...blockCases
    .filter((of) => / many | max of t|spread$/.test(of.name))
    .map(({ name, node }): [string, Node] => [name, node]),
];

/** All results, then each alone where there are several: of an attention's gradient a table's. */
function wantedOf(node: Node): readonly Wanted[] {
  const results = nodeResults(node);
  const all = results.map(() => true);
  if (results.length === 1) return [all];
  const alone = results.map((_, n) => results.map((__, other) => n === other));
  return node.kind === "attention-gradient" ? [all, alone.at(-1)!] : [all, ...alone];
}

export const programCases: readonly ProgramCase[] = [
  ...Object.entries(plain),
  ...severals.map((node): [string, Node] => [`${node.kind} of ${node.site}`, node]),
  ...pairs,
].flatMap(([name, node]) => wantedOf(node).map((wanted) => ({ name, node, wanted })));
