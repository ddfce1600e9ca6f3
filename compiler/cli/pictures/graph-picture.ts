/** Draws a Graph: one box a node, sites as frames, through graphviz (compiled to WebAssembly). */
import { Graphviz } from "@hpcc-js/wasm-graphviz";
import { showSize } from "../../ir/graph-axes.ts";
import type { Graph, Node } from "../../ir/graph.ts";
import { fontFamily } from "./mask-picture.ts";
import { nodeOperands } from "../../ir/graph-operands.ts";

// Graphviz knows the widths of Helvetica's letters; the margin makes room for wider stand-ins.
const family = `"${fontFamily}"`;

/** Text inside a quoted graphviz string. */
const quoted = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

const colours: Partial<Record<Node["kind"], string>> = {
  input: "#dfe7f5",
  parameter: "#f4ecd8",
  attention: "#d9efdc",
  contract: "#e8e2f4",
};

function label(node: Node): string {
  const shape = node.axes.map((axis) => `${axis.name}: ${showSize(axis.size)}`).join(", ");
  const name = node.kind === "parameter" ? node.path : node.kind === "input" ? node.name : node.kind;
  return `${name}\\n[${shape.replaceAll('"', "")}]`;
}

/** `layers.3.attn.q` as the repeated part it lies in, which one, and the place inside. */
function repeated(site: string): { readonly part: string; readonly n: number; readonly rest: string } | null {
  const match = /^(.*?)\.(\d+)(?:\.(.*))?$/.exec(site);
  return match === null ? null : { part: match[1]!, n: Number(match[2]), rest: match[3] ?? "" };
}

/** Repeats that are drawn as one box, because they are like the first: by `layers.3`. */
function likeTheFirst(graph: Graph): ReadonlySet<string> {
  const looks = new Map<string, Map<number, string>>();
  for (const node of graph.nodes) {
    const place = node.kind === "parameter" ? null : repeated(node.site);
    if (place === null) continue;
    const repeats = looks.get(place.part) ?? new Map<number, string>();
    repeats.set(place.n, `${repeats.get(place.n) ?? ""}${place.rest}|${label(node)}\n`);
    looks.set(place.part, repeats);
  }
  const like = new Set<string>();
  for (const [part, repeats] of looks)
    for (const [n, look] of repeats) if (n > 0 && look === repeats.get(0)) like.add(`${part}.${n}`);
  return like;
}

/** Graphviz text of a graph, without its parameters. Of repeats that look alike only the first is drawn whole. */
export function graphDot(graph: Graph, title: string): string {
  const like = likeTheFirst(graph);
  const ids = new Map<Node, string>();
  const sites = new Map<string, Node[]>();
  const boxes = new Map<string, string>();
  for (const [n, node] of graph.nodes.entries()) {
    if (node.kind === "parameter") continue;
    const place = repeated(node.site);
    const box = place === null ? "" : `${place.part}.${place.n}`;
    if (place !== null && like.has(box)) {
      if (!boxes.has(box)) boxes.set(box, `box${boxes.size}`);
      ids.set(node, boxes.get(box)!);
      continue;
    }
    ids.set(node, `n${n}`);
    sites.set(node.site, [...(sites.get(node.site) ?? []), node]);
  }
  const lines = [
    "digraph {",
    `label=${quoted(title)}; labelloc=t; fontname=${family}; rankdir=TB; labeljust=l;`,
    `node [shape=box, style="rounded,filled", fillcolor="white", fontname=${family}, fontsize=10, margin="0.3,0.08"];`,
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
  for (const [box, id] of boxes)
    lines.push(
      `${id} [label="${box.replaceAll('"', "")}\\nlike ${box.replace(/\d+$/, "0").replaceAll('"', "")}", fillcolor="#f0f0f0"];`,
    );
  const edges = new Set<string>();
  for (const node of graph.nodes)
    for (const operand of nodeOperands(node)) {
      const [from, to] = [ids.get(operand), ids.get(node)];
      if (from !== undefined && to !== undefined && from !== to) edges.add(`${from} -> ${to};`);
    }
  lines.push(...edges);
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
