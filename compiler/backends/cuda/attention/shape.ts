/** Sizes of an attention's operands, as far as they are known before a launch. */
import type { LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import { someExpr, type Expr } from "../../../ir/expr.ts";
import type { AttentionCore, Axis, NodeBase } from "../../../ir/graph.ts";

/** What sizes are read of: an attention, its gradient, or a fold that takes its keys for values. */
export type ShapedPairs = AttentionCore & Pick<NodeBase, "site">;

export interface AttentionShape {
  readonly heads: number;
  readonly groups: number;
  readonly depth: number;
  readonly width: number;
  readonly queries: LaunchSize;
  readonly keys: LaunchSize;
  readonly early: LaunchSize;
}

function fixed(axis: Axis, site: string): number {
  if (axis.size.kind !== "fixed") throw new Error(`${site}: axis ${axis.name} must have a fixed size`);
  return axis.size.value;
}

/** Thrown for a node that kernels for GPUs do not compute and those for the CPU do. */
export class CpuOnly extends Error {}

/** What of a node only kernels that weigh take, or null for plain attention. */
export function weighing(node: Pick<ShapedPairs, "weight" | "regions">): string | null {
  if (node.weight !== null) return "a weight";
  return node.regions.some(({ turn }) => turn !== null) ? "queries turned by blocks of keys" : null;
}

/** Every expression of a node that is asked of a pair or a row. */
function exprsOf(node: ShapedPairs): readonly Expr[] {
  const { weight } = node;
  const normalisers = [weight?.row ?? null, weight?.block?.inner ?? null];
  return [
    node.mask,
    node.score,
    ...(node.sink === null ? [] : [node.sink]),
    ...node.regions.flatMap(({ when, turn }) =>
      turn === null ? [when] : [when, turn.position, turn.angle, turn.scale],
    ),
    ...normalisers.flatMap((of) => (of === null ? [] : [of.guard, of.score])),
    ...(weight?.cases ?? []).flatMap(({ when, factor }) => (factor === null ? [when] : [when, factor])),
  ];
}

/** Sizes of an attention's operands. Throws where text comes after learned rows and an expression asks for the length. */
export function shapeOf(node: ShapedPairs): AttentionShape {
  const query = node.regions[0]!.query.axes;
  const value = node.value.axes;
  const size = value[1]!.size;
  const asksLength = exprsOf(node).some((e) =>
    someExpr(e, (part) => part.kind === "size" && part.name === "length"),
  );
  if (size.kind === "length" && size.plus !== 0 && asksLength)
    throw new CpuOnly(
      `${node.site}: a mask or score that asks for the length cannot follow learned rows here`,
    );
  return {
    heads: fixed(query[2]!, node.site),
    groups: fixed(value[2]!, node.site),
    depth: fixed(query[3]!, node.site),
    width: fixed(value[3]!, node.site),
    queries: axisExtent(query[1]!.size),
    keys: axisExtent(size),
    early: node.prepended === null ? 0 : axisExtent(node.prepended.key.axes[0]!.size),
  };
}
