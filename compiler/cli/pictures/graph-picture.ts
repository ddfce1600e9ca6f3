/** Draws a Graph: one box a node, sites as frames, through graphviz (compiled to WebAssembly). */
import { Graphviz } from "@hpcc-js/wasm-graphviz";
import type { AxisSize, Graph, Node } from "../../ir/graph.ts";
import { nodeOperands } from "../../ir/graph-operands.ts";

/** Text inside a quoted graphviz string. */
const quoted = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

function extent(size: AxisSize): string {
  switch (size.kind) {
    case "fixed":
      return String(size.value);
    case "batch":
      return "batch";
    case "length":
      return size.plus === 0 ? "length" : `length+${size.plus}`;
    default:
      return size satisfies never;
  }
}

const colours: Partial<Record<Node["kind"], string>> = {
  input: "#dfe7f5",
  parameter: "#f4ecd8",
  attention: "#d9efdc",
  contract: "#e8e2f4",
};

function label(node: Node): string {
  const shape = node.axes.map((axis) => `${axis.name}: ${extent(axis.size)}`).join(", ");
  const name = node.kind === "parameter" ? node.path : node.kind === "input" ? node.name : node.kind;
  return `${name}\\n[${shape.replaceAll('"', "")}]`;
}

/** Graphviz text of a graph. Parameters are drawn only with `parameters`. */
export function graphDot(graph: Graph, title: string): string {
  const ids = new Map(graph.nodes.map((node, n) => [node, `n${n}`]));
  const sites = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    if (node.kind === "parameter") continue;
    const list = sites.get(node.site) ?? [];
    list.push(node);
    sites.set(node.site, list);
  }
  const lines = [
    "digraph {",
    `label=${quoted(title)}; labelloc=t; fontname="sans-serif"; rankdir=TB;`,
    'node [shape=box, style="rounded,filled", fillcolor="white", fontname="sans-serif", fontsize=10];',
    'edge [color="#888888", arrowsize=0.6];',
  ];
  let cluster = 0;
  for (const [site, nodes] of sites) {
    if (site !== "")
      lines.push(`subgraph cluster_${cluster++} { label=${quoted(site)}; color="#bbbbbb"; fontsize=10;`);
    for (const node of nodes)
      lines.push(
        `${ids.get(node)!} [label="${label(node)}"${colours[node.kind] ? `, fillcolor="${colours[node.kind]}"` : ""}];`,
      );
    if (site !== "") lines.push("}");
  }
  for (const node of graph.nodes)
    for (const operand of nodeOperands(node))
      if (operand.kind !== "parameter" && ids.has(operand) && node.kind !== "parameter")
        lines.push(`${ids.get(operand)!} -> ${ids.get(node)!};`);
  for (const [name, node] of graph.outputs) {
    const id = `out_${cluster++}`;
    lines.push(
      `${id} [label=${quoted(name)}, shape=plaintext, fillcolor="none"];`,
      `${ids.get(node)!} -> ${id};`,
    );
  }
  lines.push("}");
  return lines.join("\n");
}

export async function graphSvg(graph: Graph, title: string): Promise<string> {
  const graphviz = await Graphviz.load();
  return graphviz.dot(graphDot(graph, title), "svg");
}
