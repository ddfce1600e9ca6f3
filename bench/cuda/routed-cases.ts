/** The cases of the routed bench: a spec compiled to a chain of calls, its tensors filled, its parts timed. */
import { gatheredCall } from "../../compiler/backends/cuda/attention/gathered-call.ts";
import {
  attentionBackwardCall,
  attentionForwardCall,
} from "../../compiler/backends/cuda/sm80/attention-call.ts";
import {
  sm90BackwardCall,
  sm90ForwardCall,
  sm90Refusal,
} from "../../compiler/backends/cuda/sm90/attention-call.ts";
import { graphOf } from "../../compiler/ir/graph-build.ts";
import type { AttentionGradientNode, AttentionNode, Graph } from "../../compiler/ir/graph.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import type { CudaDevice } from "../../runtime/device/cuda/device.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import type { CudaMemory } from "../../runtime/device/cuda/memory.ts";
import { short } from "../report.ts";
import { topFor } from "../routed-cases.ts";
import { chainOf, type Link } from "./chain/chain.ts";
import { fillNormal, fillPlaced } from "./chain/data.ts";
import { DeviceChain } from "./chain/device-chain.ts";
import { specGraph, specText, type SpecGraph } from "./chain/spec-graph.ts";
import { keptTiles, wrongRows, wrongSets } from "./routed-results.ts";

const depth = 128;

export interface Routed {
  readonly name: string;
  readonly use: string;
  readonly heads: number;
  readonly length: number;
  /** All but the attention. */
  readonly routing_ms: number;
  readonly forward_ms: number;
  readonly backward_ms?: number;
  /** All launches started together. */
  readonly total_ms: number;
  readonly dense_forward_ms: number;
  readonly dense_backward_ms?: number;
  /** Share of the causal pairs of blocks of 128 that hold a chosen pair; of pairs of the spec's blocks. */
  readonly kept_tiles: number;
  readonly kept?: number;
  /** Milliseconds of each link, one after another. */
  readonly parts: Readonly<Record<string, number>>;
  /** What did not agree with sums and soft-max taken anew on the host. */
  readonly wrong?: readonly string[];
}

const denseText = "import std.masks { causal }\n\nattention Dense() {\n  mask causal\n}\n";

const plainForward = (hopper: boolean, node: AttentionNode): CudaCall =>
  hopper && sm90Refusal(node) === null
    ? sm90ForwardCall(node, blockFacts(node), "bf16")
    : attentionForwardCall(node, blockFacts(node), "bf16");

/** Chosen keys are gathered where the mask has such. */
export const forwardCall = (hopper: boolean, node: AttentionNode): CudaCall =>
  gatheredCall(node, "bf16", (own) => plainForward(hopper, own)) ?? plainForward(hopper, node);

export const backwardCall = (hopper: boolean, node: AttentionGradientNode): CudaCall =>
  hopper && sm90Refusal(node) === null
    ? sm90BackwardCall(node, blockFacts(node), "bf16")
    : attentionBackwardCall(node, blockFacts(node), "bf16");

export const linksOf = (device: CudaDevice, graph: Graph): readonly Link[] => {
  const hopper = device.properties.major === 9;
  return chainOf(graph, {
    element: "bf16",
    attention: (node) => forwardCall(hopper, node),
    gradient: (node) => backwardCall(hopper, node),
  });
};

const isForward = ({ buffers }: Link): boolean => buffers.at(-1)!.node.kind === "attention";
const isBackward = ({ buffers }: Link): boolean => buffers.at(-1)!.node.kind === "attention-gradient";
const isRouting = (link: Link): boolean => !isForward(link) && !isBackward(link);

interface Opened extends SpecGraph {
  readonly chain: DeviceChain;
}

const shapeOf = (heads: number, length: number) => ({ heads, kvHeads: heads, size: depth, length });

async function open(
  device: CudaDevice,
  of: SpecGraph,
  length: number,
  fill: (name: string, memory: CudaMemory) => Promise<void>,
  from?: Opened,
): Promise<Opened> {
  const chain = new DeviceChain(device, of.graph, linksOf(device, of.graph), length);
  const names = of.graph.nodes.flatMap((node) => (node.kind === "parameter" ? [node.path] : []));
  const known = from?.graph.nodes.flatMap((node) => (node.kind === "parameter" ? [node.path] : [])) ?? [];
  const shared = new Map(
    names.filter((name) => known.includes(name)).map((name) => [name, from!.chain.given(name)]),
  );
  await chain.open(fill, shared);
  return { ...of, chain };
}

function partsOf({ chain }: Opened): Record<string, number> {
  const parts: Record<string, number> = {};
  chain.links.forEach((link, n) => {
    parts[`${n} ${link.label}`] = short(chain.time((own) => own === link, 60));
  });
  return parts;
}

async function times(
  device: CudaDevice,
  opened: Opened,
  heads: number,
  length: number,
): Promise<Omit<Routed, "name" | "use" | "kept_tiles" | "kept" | "wrong">> {
  const { chain } = opened;
  const trains = chain.links.some(isBackward);
  const dense = await open(
    device,
    specGraph(denseText, "Dense()", shapeOf(heads, length), "evaluation", trains),
    length,
    async () => {},
    opened,
  );
  const routing = chain.time(isRouting);
  const forward = chain.time(isForward);
  const backward = trains ? { backward_ms: short(chain.time(isBackward)) } : {};
  const result = {
    heads,
    length,
    routing_ms: short(routing),
    forward_ms: short(forward),
    ...backward,
    total_ms: short(chain.time(() => true)),
    dense_forward_ms: short(dense.chain.time(isForward)),
    ...(trains ? { dense_backward_ms: short(dense.chain.time(isBackward)) } : {}),
    parts: partsOf(opened),
  };
  dense.chain.close();
  return result;
}

const normal =
  (device: CudaDevice, sizes: Readonly<Record<string, number>> = {}) =>
  async (name: string, memory: CudaMemory): Promise<void> => {
    const table = sizes[name];
    await fillNormal(
      device,
      memory,
      table === undefined ? "bf16" : "f32",
      table ?? 1,
      7 + name.length * 31 + name.charCodeAt(0),
    );
  };

/** A learned gate over blocks, its threshold such that 90 % of the causal pairs of blocks are skipped. */
export async function benchSeer(
  device: CudaDevice,
  block: number,
  length = 32_768,
  heads = 16,
): Promise<Routed> {
  const text = specText("examples/seer-gate/spec.lctx");
  const of = (threshold: string): SpecGraph =>
    specGraph(
      text,
      `SeerGate(block: ${block}, threshold: ${threshold})`,
      shapeOf(heads, length),
      "evaluation",
    );
  const fill = normal(device, { wq: 0.6, wk: 0.2 });
  const any = of("0.5");
  const select = any.graph.nodes.find((node) => node.kind === "select")!;
  if (select.kind !== "select") throw new Error("no selection");
  // As an output, what is chosen by is stored.
  const told = graphOf(new Map([...any.graph.outputs, ["gate", select.buffers[0]!]]));
  const first = await open(device, { ...any, graph: told }, length, fill);
  first.chain.run(isRouting);
  const gate = first.chain.memory(select.buffers[0]!);
  const values = new Float32Array(gate.byteLength / 4);
  device.download(gate, values);
  const blocks = Math.ceil(length / block);
  // [block of queries, block of keys, head]; the diagonal is kept in any case.
  const below: number[] = [];
  for (let i = 0; i < blocks; i++)
    for (let j = 0; j < i; j++)
      for (let h = 0; h < heads; h++) below.push(values[(i * blocks + j) * heads + h]!);
  const kept = 0.1 * heads * ((blocks * (blocks + 1)) / 2) - heads * blocks;
  const sorted = Float32Array.from(below).sort();
  const at = Math.min(sorted.length - 1, Math.max(0, sorted.length - Math.round(kept) - 1));
  const threshold = sorted[at]!.toFixed(12);
  const opened = await open(device, of(threshold), length, fill, first);
  opened.chain.run();
  const tiles = keptTiles(device, opened.chain, opened.graph, { heads, length, block });
  const measured = await times(device, opened, heads, length);
  opened.chain.close();
  first.chain.close();
  return {
    name: `gate, blocks of ${block}`,
    use: `SeerGate(block: ${block}, threshold: ${threshold})`,
    ...measured,
    ...tiles,
  };
}

/** Blocks of keys by bounds of their logits, forward and backward, a tenth of the causal pairs of blocks. */
export async function benchBlocks(device: CudaDevice, length = 16_384, heads = 16): Promise<Routed> {
  const block = 128;
  const use = `BlockBounds(size: ${block}, keep: ${topFor(0.1, length / block)})`;
  const of = specGraph(
    specText("bench/specs/block-bounds.lctx"),
    use,
    shapeOf(heads, length),
    "evaluation",
    true,
  );
  const opened = await open(device, of, length, normal(device));
  opened.chain.run();
  const tiles = keptTiles(device, opened.chain, opened.graph, { heads, length, block });
  const measured = await times(device, opened, heads, length);
  opened.chain.close();
  return { name: `bounds, blocks of ${block}`, use, ...measured, ...tiles };
}

/** Columns and diagonals that the last rows choose. */
export async function benchSlash(device: CudaDevice, length: number): Promise<Routed> {
  const heads = 4;
  const use = "VerticalSlash()";
  const of = specGraph(
    specText("examples/vertical-slash/spec.lctx"),
    use,
    shapeOf(heads, length),
    "evaluation",
  );
  const placed = { heads, length, columns: Math.min(970, length / 8), seed: 5 };
  const opened = await open(device, of, length, (name, memory) =>
    name === "query" || name === "key"
      ? fillPlaced(device, memory, name, placed)
      : normal(device)(name, memory),
  );
  opened.chain.run();
  const tiles = keptTiles(device, opened.chain, opened.graph, { heads, length, block: 1 });
  // Of a million tokens the host would take minutes.
  const wrong =
    length > 200_000
      ? wrongSets(device, opened.chain, opened.graph)
      : [
          ...wrongSets(device, opened.chain, opened.graph),
          ...wrongRows(device, opened.chain, opened.graph, {
            heads,
            length,
            depth,
            rows: [0, 77, length / 2 + 5, length - 1],
          }),
        ];
  const measured = await times(device, opened, heads, length);
  opened.chain.close();
  return { name: `columns and diagonals, ${length}`, use, ...measured, ...tiles, wrong };
}
