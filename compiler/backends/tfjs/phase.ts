/** One phase as a function: a statement for each node, in the graph's order, and tensors freed where they are last read. */
import type { Graph, Node } from "../../ir/graph.ts";
import { nodeOperands } from "../../ir/graph-operands.ts";
import { c, joinFragments, scriptComment, scriptString, type Fragment } from "../../ir/kernel.ts";
import { ScriptNames } from "./names.ts";
import { listing, nodeText, type NodeContext } from "./nodes.ts";

/** Words after a site, where its node is not the site's own result. */
const words: Partial<Record<Node["kind"], string>> = {
  reduce: "sum",
  "attention-gradient": "gradient",
  scatter: "gradient",
  "cross-entropy-gradient": "gradient",
  "head-loss-gradient": "gradient",
  rotate: "rotated",
};

/** Nodes whose value is read in place: what the run holds. */
const isGiven = (node: Node): boolean => node.kind === "input" || node.kind === "parameter";

/** The node whose statement makes a tensor, and which result it is. */
const madeBy = (node: Node): Node => (node.kind === "result" ? node.of : node);

/** One node for each result, however many nodes name it. */
function oneOfEach(graph: Graph): (node: Node) => Node {
  const first = new Map<Node, Map<number, Node>>();
  for (const node of graph.nodes) {
    if (node.kind !== "result") continue;
    const own = first.get(node.of) ?? new Map<number, Node>([[0, node.of]]);
    if (!own.has(node.result)) own.set(node.result, node);
    first.set(node.of, own);
  }
  return (node) => (node.kind === "result" ? first.get(node.of)!.get(node.result)! : node);
}

/** The statements of a phase; the last one returns its outputs by name. */
export function phaseStatements(
  graph: Graph,
  shared: Omit<NodeContext, "of">,
  taken: Iterable<string>,
): readonly Fragment[] {
  const names = new ScriptNames(taken);
  const variables = new Map<Node, Fragment>();
  const one = oneOfEach(graph);
  const outputs = new Set([...graph.outputs.values()].map(one));
  const read = new Set<Node>(outputs);
  for (const node of graph.nodes)
    if (node.kind !== "result") nodeOperands(node).forEach((own) => read.add(one(own)));
  const context: NodeContext = {
    ...shared,
    of: (node) => {
      const known = variables.get(one(node));
      if (known !== undefined) return known;
      if (isGiven(node)) return nodeText(node, context);
      throw new Error(`${node.kind} of ${node.site} is read before it is made`);
    },
  };
  const variable = (node: Node): Fragment => {
    const word = words[node.kind];
    const name = names.fresh(`${node.site} ${word ?? ""}`);
    variables.set(node, name);
    return name;
  };
  const results = new Map<Node, Map<number, Node>>();
  for (const node of graph.nodes)
    if (node.kind === "result" && node.result > 0) {
      const own = results.get(node.of) ?? new Map<number, Node>();
      own.set(node.result, one(node));
      results.set(node.of, own);
    }
  // Made once each: a result node may stand anywhere after its node.
  const statements: {
    readonly site: string;
    readonly text: Fragment;
    readonly made: Node;
    readonly reads: readonly Node[];
  }[] = [];
  for (const node of graph.nodes) {
    if (isGiven(node) || node.kind === "result") continue;
    const text = nodeText(node, context);
    const own = results.get(node) ?? new Map<number, Node>();
    const reads = nodeOperands(node).map(one);
    if (!listing.has(node.kind)) {
      statements.push({ site: node.site, text: c`const ${variable(node)} = ${text};`, made: node, reads });
      continue;
    }
    const most = Math.max(read.has(node) ? 0 : -1, ...own.keys());
    const slots = Array.from({ length: most + 1 }, (_, n) => {
      const result = n === 0 ? node : own.get(n);
      return result !== undefined && read.has(result) ? variable(result) : c``;
    });
    const target = slots.length === 0 ? c`` : c`const [${joinFragments(slots, c`, `)}] = `;
    statements.push({ site: node.site, text: c`${target}${text};`, made: node, reads });
  }
  return [...withDisposal(statements, variables, outputs), returned(graph, context)];
}

function returned(graph: Graph, context: NodeContext): Fragment {
  const fields = [...graph.outputs].map(([name, node]) => {
    const text = context.of(node);
    return c`${scriptString(name)}: ${isGiven(node) ? c`tf.clone(${text})` : text}`;
  });
  return c`return { ${joinFragments(fields, c`, `)} };`;
}

/** The statements with a comment before each site's, and after them the freeing of what is read no more. */
function withDisposal(
  statements: readonly {
    readonly site: string;
    readonly text: Fragment;
    readonly made: Node;
    readonly reads: readonly Node[];
  }[],
  variables: ReadonlyMap<Node, Fragment>,
  outputs: ReadonlySet<Node>,
): readonly Fragment[] {
  const kept = new Set([...outputs].map((node) => variables.get(node)?.text));
  const last = new Map<string, number>();
  const made = new Map<Node, Fragment[]>();
  for (const [node, name] of variables) made.set(madeBy(node), [...(made.get(madeBy(node)) ?? []), name]);
  statements.forEach(({ made: node, reads }, n) => {
    for (const name of made.get(node) ?? []) last.set(name.text, n);
    for (const node of reads) {
      const name = variables.get(node);
      if (name !== undefined) last.set(name.text, n);
    }
  });
  const byText = new Map([...variables.values()].map((name) => [name.text, name]));
  const ending = new Map<number, Fragment[]>();
  for (const [name, n] of last)
    if (!kept.has(name)) ending.set(n, [...(ending.get(n) ?? []), byText.get(name)!]);
  const lines: Fragment[] = [];
  let pending: Fragment[] = [];
  statements.forEach(({ site, text }, n) => {
    if (n === 0 || statements[n - 1]!.site !== site)
      lines.push(...(n === 0 ? [] : [c``]), scriptComment(site));
    lines.push(text);
    pending.push(...(ending.get(n) ?? []));
    if (statements[n + 1]?.site === site || pending.length === 0 || n === statements.length - 1) return;
    lines.push(c`tf.dispose([${joinFragments(pending, c`, `)}]);`);
    pending = [];
  });
  return lines;
}
