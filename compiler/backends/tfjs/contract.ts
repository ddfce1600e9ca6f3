/** Contractions as matrix products: which axes are rows, columns, inner and batch, and what has to be turned. */
import type { Axis } from "../../ir/graph.ts";
import type { NodeOf } from "../../ir/graph-operands.ts";
import { c, scriptName, type Fragment } from "../../ir/kernel.ts";
import type { Needed } from "./print-host.ts";
import { listText, productText, same, shapeText } from "./shapes.ts";

interface Side {
  readonly text: Fragment;
  readonly axes: readonly Axis[];
}

const namesOf = (axes: readonly Axis[]): readonly string[] => axes.map(({ name }) => name);

/** The operand with its axes in the given order. */
export function permuted({ text, axes }: Side, order: readonly Axis[]): Side {
  if (same(axes, order)) return { text, axes };
  const places = order.map(({ name }) => axes.findIndex((axis) => axis.name === name));
  return { text: c`tf.transpose(${text}, ${listText(places)})`, axes: order };
}

/** Summed over axes that the other operand does not have. */
function summed({ text, axes }: Side, over: readonly string[]): Side {
  if (over.length === 0) return { text, axes };
  const places = over.map((name) => axes.findIndex((axis) => axis.name === name));
  return {
    text: c`tf.sum(${text}, ${listText(places)})`,
    axes: axes.filter(({ name }) => !over.includes(name)),
  };
}

const groupsShape = (groups: readonly (readonly Axis[])[]): Fragment => listText(groups.map(productText));

/** One side as [batch, rows, inner] or, turned, [batch, inner, rows]. */
function sideText(
  side: Side,
  batch: readonly Axis[],
  outer: readonly Axis[],
  inner: readonly Axis[],
  innerLast: boolean,
): { readonly text: Fragment; readonly turned: boolean } {
  const straight = [...batch, ...(innerLast ? [...outer, ...inner] : [...inner, ...outer])];
  const crossed = [...batch, ...(innerLast ? [...inner, ...outer] : [...outer, ...inner])];
  const turned = !same(side.axes, straight) && same(side.axes, crossed);
  const { text } = permuted(side, turned ? crossed : straight);
  const groups = [
    ...(batch.length === 0 ? [] : [batch]),
    ...(innerLast === turned ? [inner, outer] : [outer, inner]),
  ];
  if (groups.every((group) => group.length === 1)) return { text, turned };
  return { text: c`tf.reshape(${text}, ${groupsShape(groups)})`, turned };
}

/** The text of a contraction; its result has the node's axes. */
export function contractText(
  node: NodeOf<"contract">,
  left: Fragment,
  right: Fragment,
  needed: Needed,
): Fragment {
  needed.add("matMul");
  const [l, r] = [namesOf(node.left.axes), namesOf(node.right.axes)];
  const a = summed(
    { text: left, axes: node.left.axes },
    node.over.filter((name) => l.includes(name) && !r.includes(name)),
  );
  const b = summed(
    { text: right, axes: node.right.axes },
    node.over.filter((name) => r.includes(name) && !l.includes(name)),
  );
  const [inA, inB] = [namesOf(a.axes), namesOf(b.axes)];
  const inner = a.axes.filter(({ name }) => node.over.includes(name) && inB.includes(name));
  const batch = node.axes.filter(({ name }) => inA.includes(name) && inB.includes(name));
  const rows = node.axes.filter(({ name }) => inA.includes(name) && !inB.includes(name));
  const columns = node.axes.filter(({ name }) => inB.includes(name) && !inA.includes(name));
  // The side whose axes come first in the result is the left factor, so that the result needs no turning.
  const swapped =
    !same(node.axes, [...batch, ...rows, ...columns]) && same(node.axes, [...batch, ...columns, ...rows]);
  const [first, second] = swapped ? [b, a] : [a, b];
  const [outer, last] = swapped ? [columns, rows] : [rows, columns];
  const one = sideText(first, batch, outer, inner, true);
  const other = sideText(second, batch, last, inner, false);
  const flags =
    one.turned || other.turned
      ? c`, ${scriptName(String(one.turned))}, ${scriptName(String(other.turned))}`
      : c``;
  const product = c`matMul(${one.text}, ${other.text}${flags})`;
  const order = [...batch, ...outer, ...last];
  const plain = [...(batch.length === 0 ? [] : [batch]), outer, last].every((group) => group.length === 1);
  const shaped = plain ? product : c`tf.reshape(${product}, ${shapeText(order)})`;
  return permuted({ text: shaped, axes: order }, node.axes).text;
}
