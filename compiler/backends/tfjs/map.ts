/** Pointwise nodes: operands aligned by axis name, and the body as operations that broadcast. */
import { someExpr } from "../../ir/expr.ts";
import type { Axis, Node } from "../../ir/graph.ts";
import type { NodeOf } from "../../ir/graph-operands.ts";
import { c, joinFragments, scriptName, scriptString, type Fragment } from "../../ir/kernel.ts";
import { permuted } from "./contract.ts";
import {
  asNumber,
  countUses,
  hostBody,
  hostNumber,
  indicesOf,
  isHosted,
  isPlain,
  type HostLeaves,
  type Needed,
} from "./print-host.ts";
import { tensorBody } from "./print-tensor.ts";
import { extentText, listText, shapeText } from "./shapes.ts";
import { exprChildren, type Expr } from "../../ir/expr.ts";

/** The variable that counts along an axis. */
const axisVariable = (name: string): Fragment => scriptName(`${name.replaceAll(/[^A-Za-z0-9]/g, "_")}_`);

/** Sizes and scalars where the run is at hand. */
export const phaseLeaves: HostLeaves = {
  index: (name) => axisVariable(name),
  size: (name) =>
    ({
      batch: c`batch`,
      length: c`length`,
      "query-length": c`run.queryLength`,
      "query-start": c`run.queryStart`,
      step: c`run.step`,
    })[name],
  scalar: (name) => c`run.scalar(${scriptString(name)})`,
};

/** An operand as the result's axes have it: in their order, with extents of 1 where it has none, where that matters. */
function aligned(operand: Node, text: Fragment, axes: readonly Axis[]): Fragment {
  const order = axes.filter(({ name }) => operand.axes.some((own) => own.name === name));
  const inOrder = permuted({ text, axes: operand.axes }, order).text;
  if (order.length === 0) return inOrder;
  const first = axes.findIndex(({ name }) => name === order[0]!.name);
  const tail = axes.slice(first);
  if (tail.length === order.length) return inOrder;
  const extents = tail.map((axis) => (order.includes(axis) ? extentText(axis) : 1));
  return c`tf.reshape(${inOrder}, ${listText(extents)})`;
}

/** What the host says over some axes, as a tensor: `grid([…], (t_) => …)`. */
function gridText(e: Expr, axes: readonly Axis[], needed: Needed): Fragment {
  needed.add("grid");
  const read = indicesOf(e);
  const first = axes.findIndex(({ name }) => read.has(name));
  const tail = axes.slice(first);
  const extents = tail.map((axis) => (read.has(axis.name) ? extentText(axis) : 1));
  const names = tail.map(({ name }) => axisVariable(name));
  const type = { real: c``, int: c`, "int32"`, bool: c`, "bool"` }[e.type];
  const body = hostBody(e, phaseLeaves, needed);
  return c`grid(${listText(extents)}, (${joinFragments(names, c`, `)}) => ${body}${type})`;
}

/** The axes over which the body's value differs. */
function covered(node: NodeOf<"map">): ReadonlySet<string> {
  const found = new Set<string>();
  someExpr(node.body, (e) => {
    if (e.kind === "operand") for (const { name } of node.operands[e.index]!.axes) found.add(name);
    if (e.kind === "index") found.add(e.name);
    if (e.kind === "uniform") for (const { name } of node.axes) found.add(name);
    return false;
  });
  return found;
}

/** The text of a map; its result has the node's axes and type. */
export function mapText(node: NodeOf<"map">, operands: readonly Fragment[], needed: Needed): Fragment {
  const { body, axes } = node;
  const dtype = node.dtype === "i32" ? c`"int32"` : c`"float32"`;
  if (isHosted(body) && isPlain(body))
    return c`tf.fill(${shapeText(axes)}, ${asNumber(body, hostNumber(body, phaseLeaves, needed))}, ${dtype})`;
  const uses = countUses([body]);
  const before: Fragment[] = [];
  const known = new Map<number, Fragment>();
  const operandText = (n: number): Fragment => {
    const found = known.get(n);
    if (found !== undefined) return found;
    let text = aligned(node.operands[n]!, operands[n]!, axes);
    const often = [...uses].some(([e, count]) => e.kind === "operand" && e.index === n && count > 1);
    if (often && text !== operands[n]) {
      const name = scriptName(`x${n}`);
      before.push(c`const ${name} = ${text};`);
      text = name;
    }
    known.set(n, text);
    return text;
  };
  const { definitions, values } = tensorBody(
    [body],
    {
      plain: (e) => asNumber(e, hostNumber(e, phaseLeaves, needed)),
      hosted: (e) => gridText(e, axes, needed),
      divided: () => false,
      logit: nowhere,
      operand: operandText,
      load: nowhere,
      uniform: (stream) => {
        needed.add("uniform");
        return c`uniform(run, ${stream}, ${shapeText(axes)})`;
      },
    },
    needed,
  );
  const has = covered(node);
  let text = values[0]!.text;
  if (!axes.every(({ name }) => has.has(name))) {
    needed.add("spread");
    text = c`spread(${text}, ${shapeText(axes)})`;
  } else if (values[0]!.text === operands[0] && body.kind === "operand") {
    text = c`tf.clone(${text})`;
  }
  const wanted = node.dtype === "i32" ? "int" : "real";
  if (body.type !== wanted) text = c`tf.cast(${text}, ${dtype})`;
  const all = [...before, ...definitions];
  const single = all.length === 0 && exprChildren(body).every((e) => exprChildren(e).length === 0);
  if (single) return text;
  if (all.length === 0) return c`tf.tidy(() => ${text})`;
  return c`tf.tidy(() => { ${joinFragments(all, c` `)} return ${text}; })`;
}

function nowhere(): never {
  throw new Error("a map has operands, indices and random numbers alone");
}
