/** The text of each kind of node: a call or an expression whose tensor has the node's axes. */
import type { Expr } from "../../ir/expr.ts";
import { isTokenAxis } from "../../ir/graph-axes.ts";
import type { NodeOf } from "../../ir/graph-operands.ts";
import { nodeOperands } from "../../ir/graph-operands.ts";
import { nodeResults } from "../../ir/graph-results.ts";
import type { Axis, Node, NodeKind, PairCore } from "../../ir/graph.ts";
import { c, joinFragments, scriptName, scriptString, type Fragment } from "../../ir/kernel.ts";
import { contractText, permuted } from "./contract.ts";
import {
  attentionDefinition,
  logSumExpDefinition,
  pairReduceDefinition,
  selectDefinition,
  slopesDefinition,
  type Analyses,
} from "./definitions.ts";
import { mapText } from "./map.ts";
import { hostBody, indicesOf, type Needed } from "./print-host.ts";
import { extentText, listText, productText, shapeText } from "./shapes.ts";

/** What the text of a node may ask for. */
export interface NodeContext {
  readonly needed: Needed;
  readonly analyses: Analyses;
  /** The variable that holds a node's tensor. */
  readonly of: (node: Node) => Fragment;
  /** The name of a module constant with that value: equal values share one. */
  readonly constant: (word: string, type: string, value: Fragment) => Fragment;
}

type Text<K extends NodeKind> = (node: NodeOf<K>, context: NodeContext) => Fragment;

const place = (axes: readonly Axis[], name: string): number => axes.findIndex((axis) => axis.name === name);

function call(context: NodeContext, name: string, ...args: readonly Fragment[]): Fragment {
  context.needed.add(name);
  return c`${scriptName(name)}(${joinFragments(args, c`, `)})`;
}

const object = (fields: readonly (readonly [string, Fragment])[]): Fragment =>
  c`{ ${joinFragments(
    fields.map(([name, value]) => c`${scriptName(name)}: ${value}`),
    c`, `,
  )} }`;
const list = (nodes: readonly Node[], { of }: NodeContext): Fragment =>
  c`[${joinFragments(nodes.map(of), c`, `)}]`;

/** Tables that expressions over pairs read, and which of them have rows of a batch. */
const tableTensors = (buffers: readonly Node[], context: NodeContext): (readonly [string, Fragment])[] => [
  ["tables", list(buffers, context)],
  [
    "batchedTables",
    c`[${joinFragments(
      buffers.map(({ axes }) => (place(axes, "b") >= 0 ? c`true` : c`false`)),
      c`, `,
    )}]`,
  ],
];

/** The tensors of pairs: queries and keys of each region, tables. */
function pairTensors(core: PairCore, context: NodeContext): (readonly [string, Fragment])[] {
  const tokens = isTokenAxis(core.regions[0]!.query.axes[1]!);
  return [
    [
      "queries",
      list(
        core.regions.map(({ query }) => query),
        context,
      ),
    ],
    [
      "keys",
      list(
        core.regions.map(({ key }) => key),
        context,
      ),
    ],
    ...tableTensors(core.buffers, context),
    ["tokens", tokens ? c`true` : c`false`],
  ];
}

/** What an attention is, as a constant that its gradient shares. */
const attentionConstant = (
  node: NodeOf<"attention" | "attention-gradient">,
  { analyses, needed, constant }: NodeContext,
): Fragment => constant("attention", "Attention", attentionDefinition(node, analyses, needed));

function attentionTensors(node: NodeOf<"attention" | "attention-gradient">, context: NodeContext) {
  const { prepended } = node;
  return [
    ...pairTensors(node, context),
    ["value", context.of(node.value)] as const,
    [
      "prepended",
      prepended === null
        ? c`null`
        : object([
            ["key", context.of(prepended.key)],
            ["value", context.of(prepended.value)],
          ]),
    ] as const,
  ];
}

function gather(node: NodeOf<"gather">, context: NodeContext): Fragment {
  const { table, index, axis } = node;
  const order = [
    ...table.axes.filter(({ name }) => name === axis),
    ...table.axes.filter(({ name }) => name !== axis),
  ];
  const rows = permuted({ text: context.of(table), axes: table.axes }, order);
  const made = [...index.axes, ...order.slice(1)];
  return permuted({ text: c`tf.gather(${rows.text}, ${context.of(index)})`, axes: made }, node.axes).text;
}

function scatter(node: NodeOf<"scatter">, context: NodeContext): Fragment {
  const { values, index, axis } = node;
  const along = node.axes.find(({ name }) => name === axis)!;
  const others = node.axes.filter(({ name }) => name !== axis);
  const rows = permuted({ text: context.of(values), axes: values.axes }, [...index.axes, ...others]);
  const flat = c`tf.reshape(${rows.text}, [${productText(index.axes)}, ${productText(others)}])`;
  const sums = call(context, "scatterRows", flat, context.of(index), extentText(along));
  const shaped = c`tf.reshape(${sums}, ${shapeText([along, ...others])})`;
  return permuted({ text: shaped, axes: [along, ...others] }, node.axes).text;
}

function concat(node: NodeOf<"concat">, context: NodeContext): Fragment {
  const parts = node.operands.map((operand) => {
    const text = context.of(operand);
    if (operand.axes.length === node.axes.length)
      return permuted({ text, axes: operand.axes }, order(operand, node)).text;
    const own = node.axes.map((axis) => operand.axes.find(({ name }) => name === axis.name) ?? axis);
    return call(context, "spread", text, shapeText(own));
  });
  return c`tf.concat([${joinFragments(parts, c`, `)}], ${place(node.axes, node.axis)})`;
}
const order = (operand: Node, node: Node): readonly Axis[] =>
  node.axes.map(({ name }) => operand.axes.find((axis) => axis.name === name)!);

function slice(node: NodeOf<"slice">, context: NodeContext): Fragment {
  const { operand } = node;
  const starts = operand.axes.map(({ name }) => (name === node.axis ? node.start : 0));
  const text = c`tf.slice(${context.of(operand)}, ${listText(starts)}, ${shapeText(order(node, operand))})`;
  return permuted({ text, axes: operand.axes }, node.axes).text;
}

function rotate(node: NodeOf<"rotate">, context: NodeContext): Fragment {
  const leaves = {
    index: (name: string) => scriptName(name),
    size: (name: Extract<Expr, { kind: "size" }>["name"]) =>
      ({
        batch: c`batch`,
        length: c`length`,
        "query-length": c`run.queryLength`,
        "query-start": c`run.queryStart`,
        step: c`run.step`,
      })[name],
    scalar: (name: string) => c`run.scalar(${scriptString(name)})`,
  };
  const heads = indicesOf(node.position).has("h");
  const token = place(node.axes, "t");
  const start = isTokenAxis(node.axes[token]!) ? c`run.queryStart` : c`0`;
  const law = object([
    ["position", c`(${heads ? c`x, h` : c`x`}) => ${hostBody(node.position, leaves, context.needed)}`],
    ["byHead", heads ? c`true` : c`false`],
    ["angle", c`(m) => ${hostBody(node.angle, leaves, context.needed)}`],
    ["scale", c`(m) => ${hostBody(node.scale, leaves, context.needed)}`],
    ["rotated", c`${node.rotated}`],
    ["layout", scriptString(node.layout)],
    ["inverse", node.inverse ? c`true` : c`false`],
    ["start", start],
    ["along", c`${token}`],
  ]);
  return call(context, "rotate", context.of(node.operand), law);
}

function blocks(node: NodeOf<"block-reduce" | "block-spread">, context: NodeContext): Fragment {
  const at = place(node.operand.axes, node.axis);
  const count = c`${extentText(node.axes[at]!)}`;
  if (node.kind === "block-reduce")
    return call(
      context,
      "blockReduce",
      context.of(node.operand),
      scriptString(node.op),
      c`${at}`,
      c`${node.block}`,
    );
  return call(context, "blockSpread", context.of(node.operand), c`${at}`, c`${node.block}`, count);
}

const texts: { readonly [K in NodeKind]: Text<K> } = {
  input: (node) => c`run.input(${scriptString(node.name)})`,
  parameter: (node) => c`run.weight(${scriptString(node.path)})`,
  map: (node, context) => mapText(node, node.operands.map(context.of), context.needed),
  reduce: (node, context) => {
    const places = node.over.map((name) => place(node.operand.axes, name));
    const left = node.operand.axes.filter(({ name }) => !node.over.includes(name));
    const text = c`tf.${scriptName(node.op)}(${context.of(node.operand)}, ${listText(places)})`;
    return permuted({ text, axes: left }, node.axes).text;
  },
  contract: (node, context) =>
    contractText(node, context.of(node.left), context.of(node.right), context.needed),
  gather,
  scatter,
  reshape: (node, context) => c`tf.reshape(${context.of(node.operand)}, ${shapeText(node.axes)})`,
  concat,
  slice,
  rotate,
  attention: (node, context) => {
    const definition = attentionConstant(node, context);
    return call(context, "attention", definition, c`run`, object(attentionTensors(node, context)));
  },
  "attention-gradient": (node, context) => {
    const definition = attentionConstant(node, context);
    const slopes = context.constant("slopes", "Slopes", slopesDefinition(node, context.needed));
    const given = object([
      ["output", context.of(node.output)],
      ["logSumExp", context.of(node.logSumExp)],
      ["outputGradient", context.of(node.outputGradient)],
    ]);
    return call(
      context,
      "attentionGradient",
      definition,
      slopes,
      c`run`,
      object(attentionTensors(node, context)),
      given,
      c`${nodeResults(node).length}`,
    );
  },
  select: (node, context) => {
    const definition = context.constant("selection", "Selection", selectDefinition(node, context.needed));
    const rows = node.perRow ? node.axes[1]! : null;
    const tensors = object([
      ["query", node.query === null ? c`null` : context.of(node.query)],
      ["key", node.key === null ? c`null` : context.of(node.key)],
      ...tableTensors(node.buffers, context),
      ["tokens", rows !== null && isTokenAxis(rows) ? c`true` : c`false`],
      ["candidates", extentText({ name: "k", size: node.candidates })],
      ["rows", rows === null ? c`null` : extentText(rows)],
      ["heads", node.perHead ? extentText(node.axes.at(-2)!) : c`null`],
    ]);
    return call(context, "select", definition, c`run`, tensors);
  },
  "log-sum-exp": (node, context) => {
    const definition = context.constant(
      "attention",
      "Attention",
      logSumExpDefinition(node, context.analyses, context.needed),
    );
    return call(context, "logSumExp", definition, c`run`, object(pairTensors(node, context)));
  },
  "pair-reduce": (node, context) => {
    const definition = context.constant(
      "fold",
      "PairFold",
      pairReduceDefinition(node, context.analyses, context.needed),
    );
    return call(
      context,
      "pairReduce",
      definition,
      c`run`,
      object(pairTensors(node, context)),
      shapeText(node.axes),
    );
  },
  "block-reduce": blocks,
  "block-spread": blocks,
  "running-sum": (node, context) =>
    c`tf.cumsum(${context.of(node.operand)}, ${place(node.axes, node.axis)}, ${scriptName(String(node.exclusive))}, ${scriptName(String(node.backward))})`,
  "cross-entropy": (node, context) => call(context, "crossEntropy", ...nodeOperands(node).map(context.of)),
  "cross-entropy-gradient": (node, context) =>
    call(context, "crossEntropyGradient", ...nodeOperands(node).map(context.of)),
  "head-loss": (node, context) => call(context, "headLoss", ...nodeOperands(node).map(context.of)),
  "head-loss-gradient": (node, context) =>
    call(context, "headLossGradient", ...nodeOperands(node).map(context.of)),
  result: () => {
    throw new Error("results are named where their node is");
  },
  hole: (node) => {
    throw new Error(`hole ${node.name} of ${node.site} was not filled`);
  },
};

/** Kinds whose call gives a list of results. */
export const listing: ReadonlySet<NodeKind> = new Set<NodeKind>([
  "attention",
  "attention-gradient",
  "cross-entropy",
  "head-loss",
  "head-loss-gradient",
]);

/** The text of a node: its tensor, or the list of its results where its kind has several. */
export const nodeText = (node: Node, context: NodeContext): Fragment =>
  (texts[node.kind] as Text<NodeKind>)(node as never, context);
