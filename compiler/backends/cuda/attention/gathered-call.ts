/**
 * Attention whose mask lets every row see a few chosen keys besides others: the chosen keys are gathered, so that they
 * fill whole tiles wherever they lie; attention over them and over the others is joined by the log-sum-exps.
 */
import type { CudaArgument, CudaCall, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import * as e from "../../../ir/expr.ts";
import { attentionNode, axis, batchAxis } from "../../../ir/graph-build.ts";
import type { AttentionNode, Node } from "../../../ir/graph.ts";
import type { SelectNode } from "../../../ir/graph-pairs.ts";
import { c } from "../../../ir/kernel.ts";
import { elementBytes, type AttentionElement } from "../element.ts";
import { joinText, listText, listThreads, packText, rowThreads, unitOf } from "./gathered-text.ts";
import { joinCalls } from "./join-calls.ts";
import { shapeOf } from "./shape.ts";

/** Chosen keys fill tiles of so many. */
const tile = 128;

/** Makes the call of an attention: its buffers are operands, output, log-sum-exp. */
export type PlainCall = (node: AttentionNode) => CudaCall;

interface Chosen {
  /** Which buffer is the set of chosen keys, and how many it has at most. */
  readonly buffer: number;
  readonly most: number;
  readonly perHead: boolean;
  /** What else a pair has to be, besides in the set or `others`. */
  readonly both: e.Expr;
  readonly others: e.Expr;
}

const parts = (op: "and" | "or", mask: e.Expr): readonly e.Expr[] =>
  mask.kind === "binary" && mask.op === op ? [...parts(op, mask.left), ...parts(op, mask.right)] : [mask];
const all = (of: readonly e.Expr[]): e.Expr => of.reduce(e.and, e.bool(true));

/** Members that a selection has at most; null when that is not known before it runs. */
function mostChosen({ choose, always }: SelectNode): number | null {
  if (choose.kind !== "top" || choose.count.kind !== "constant") return null;
  if (always.kind === "constant" && always.value === 0) return choose.count.value;
  const near =
    always.kind === "binary" &&
    always.op === "lt" &&
    always.left.kind === "index" &&
    always.left.name === "k";
  if (!near || always.right.kind !== "constant") return null;
  return Math.max(choose.count.value, always.right.value);
}

/** The set of keys that a mask is a union with, where there is one of few members. */
function chosenOf({ mask, buffers }: AttentionNode): Chosen | null {
  const conjuncts = parts("and", mask);
  for (const conjunct of conjuncts) {
    const cases = parts("or", conjunct);
    if (cases.length < 2) continue;
    for (const own of cases) {
      if (own.kind !== "set" || own.op !== "member") continue;
      const set = buffers[own.buffer]!;
      const isKey = own.element.kind === "index" && own.element.name === "k";
      const byHead = own.indices.every((at) => at.kind === "index" && at.name === "h");
      if (!isKey || !byHead || set.kind !== "select" || set.perRow || set.candidates.kind !== "length")
        continue;
      const most = mostChosen(set);
      if (most === null || most < 1) continue;
      return {
        buffer: own.buffer,
        most,
        perHead: set.perHead,
        both: all(conjuncts.filter((other) => other !== conjunct)),
        others: cases.filter((other) => other !== own).reduce(e.or),
      };
    }
  }
  return null;
}

const table = (site: string, axes: Node["axes"], dtype: Node["dtype"] = "f32"): Node => ({
  kind: "parameter",
  path: site,
  axes,
  init: { kind: "constant", value: 0 },
  trainable: false,
  dtype,
  site,
  origin: [],
});

/** Buffers of the call: operands, output, log-sum-exp. Null for an attention whose mask names no such set. */
export function gatheredCall(
  node: AttentionNode,
  element: AttentionElement,
  plain: PlainCall,
): CudaCall | null {
  const region = node.regions[0]!;
  if (node.regions.length > 1 || region.turn !== null || node.prepended !== null) return null;
  if (node.weight !== null || node.sink !== null) return null;
  const chosen = chosenOf(node);
  if (chosen === null) return null;
  const { heads, groups, depth, width, queries, keys } = shapeOf(node);
  const room = tile * Math.ceil(chosen.most / tile);
  const lists = chosen.perHead ? heads : 1;
  const headAxis = region.query.axes[2]!;
  // The same attention without the set, and over the gathered keys: pairs that the first sees are left out there.
  const rest = attentionNode({ ...node, mask: e.and(chosen.both, chosen.others) }, node.site);
  const listed = node.buffers.length;
  const place = e.load(listed, chosen.perHead ? [e.index("h"), e.index("k")] : [e.index("k")], "int");
  const atPlace = (of: e.Expr): e.Expr =>
    e.mapExpr(of, (part) => (part.kind === "index" && part.name === "k" ? place : part));
  const packed = axis("c", room);
  const gathered = attentionNode(
    {
      ...node,
      regions: [
        {
          ...region,
          key: table("packed keys", [batchAxis, packed, { ...headAxis, name: "g" }, region.key.axes[3]!]),
          when: atPlace(region.when),
        },
      ],
      value: table("packed values", [batchAxis, packed, { ...headAxis, name: "g" }, node.value.axes[3]!]),
      mask: all([e.le(e.int(0), place), atPlace(chosen.both), e.not(atPlace(chosen.others))]),
      score: atPlace(node.score),
      buffers: [
        ...node.buffers,
        table("places", [batchAxis, ...(chosen.perHead ? [{ ...headAxis, name: "h" }] : []), packed], "i32"),
      ],
    },
    node.site,
  );

  const [output, lse] = [3 + listed, 4 + listed];
  const buffers = 5 + listed;
  const [places, packedKeys, packedValues, restLse, otherOutput, otherLse] = [0, 1, 2, 3, 4, 5].map(
    (n) => buffers + n,
  ) as [number, number, number, number, number, number];
  const bytes = elementBytes(element);
  const rows: LaunchSize = ["*", "batch", queries, heads];
  const words: LaunchSize = axisExtent(node.buffers[chosen.buffer]!.axes.at(-1)!.size);
  const pointer = (buffer: number): CudaArgument => ({ kind: "pointer", buffer });
  const whole = (value: LaunchSize): CudaArgument => ({ kind: "i32", value });
  const launch = (
    label: string,
    text: { readonly text: string },
    entry: string,
    grid: LaunchSize,
    threads: number,
    args: readonly CudaArgument[],
  ): CudaCall => ({
    sources: [{ entry, text: text.text, architecture: "sm_80" }],
    buffers,
    scratch: [],
    launches: [
      {
        source: 0,
        label: `${node.site}: ${label}`,
        grid: [grid, 1, 1],
        threads,
        cluster: 1,
        sharedBytes: 0,
        arguments: args,
      },
    ],
  });
  // These name buffers of the whole themselves, scratch included.
  const own = (call: CudaCall) => ({
    call: { ...call, buffers: buffers + 6 },
    buffers: Array.from({ length: buffers + 6 }, (_, n) => n),
  });
  const pack = (from: number, to: number, size: number): CudaCall => {
    const total: LaunchSize = ["*", "batch", (room * heads * size) / unitOf(element, size)];
    const entry = c`lctx_gather_rows`;
    return launch(
      "gathered rows",
      packText(entry, element, { heads, groups, lists, width: size }),
      entry.text,
      ["ceil-div", total, rowThreads],
      rowThreads,
      [pointer(places), pointer(from), pointer(to), whole(total), whole(keys), whole(room)],
    );
  };
  const [list, join] = [c`lctx_list_members`, c`lctx_join_outputs`];
  const tables = node.buffers.map((_, n) => 3 + n);
  const units = width / unitOf(element, width);
  return joinCalls(
    buffers,
    [
      { bytes: ["*", 4 * lists * room, "batch"], zero: false },
      { bytes: ["*", bytes * room * heads * depth, "batch"], zero: false },
      { bytes: ["*", bytes * room * heads * width, "batch"], zero: false },
      { bytes: ["*", 4, rows], zero: false },
      { bytes: ["*", bytes * width, rows], zero: false },
      { bytes: ["*", 4, rows], zero: false },
    ],
    [
      own(
        launch("members of a set", listText(list), list.text, ["*", "batch", lists], listThreads, [
          pointer(3 + chosen.buffer),
          pointer(places),
          whole(words),
          whole(room),
        ]),
      ),
      own(pack(1, packedKeys, depth)),
      own(pack(2, packedValues, width)),
      { call: plain(rest), buffers: [0, 1, 2, ...tables, output, restLse] },
      {
        call: plain(gathered),
        buffers: [0, packedKeys, packedValues, ...tables, places, otherOutput, otherLse],
      },
      own(
        launch(
          "outputs of both",
          joinText(join, element, width),
          join.text,
          ["ceil-div", ["*", rows, units], rowThreads],
          rowThreads,
          [output, lse, restLse, otherOutput, otherLse].map(pointer).concat(whole(rows)),
        ),
      ),
    ],
  );
}
