/** A chain on a GPU: memory for its tensors, its calls bound to them, and times of all or some of its links. */
import { nodeResults } from "../../../compiler/ir/graph-results.ts";
import { axisExtent } from "../../../compiler/ir/axis-extent.ts";
import type { Graph, Node } from "../../../compiler/ir/graph.ts";
import type { CudaDevice } from "../../../runtime/device/cuda/device.ts";
import type { CudaGraph } from "../../../runtime/device/cuda/graph.ts";
import { evaluateLaunchSize, type LaunchSizes } from "../../../runtime/device/cuda/launch.ts";
import type { CudaMemory } from "../../../runtime/device/cuda/memory.ts";
import type { BoundCall } from "../../../runtime/device/cuda/prepared.ts";
import { median } from "../../report.ts";
import type { Link } from "./chain.ts";
import { elementsOf, isElement, tensorOf, type Tensor } from "./tensors.ts";

/** Fills a given tensor's memory. */
export type Fill = (name: string, memory: CudaMemory) => void | Promise<void>;

export class DeviceChain {
  readonly links: readonly Link[];
  readonly #device: CudaDevice;
  readonly #graph: Graph;
  readonly #sizes: LaunchSizes;
  readonly #elements: ReadonlySet<Node>;
  readonly #memories = new Map<Node, CudaMemory[]>();
  readonly #owned: CudaMemory[] = [];
  #bound: readonly BoundCall[] = [];

  constructor(device: CudaDevice, graph: Graph, links: readonly Link[], length: number) {
    this.#device = device;
    this.#graph = graph;
    this.links = links;
    this.#elements = elementsOf(graph);
    this.#sizes = { batch: 1, length, "query-length": length, "query-start": 0, step: 0 };
  }

  /** Compiles and binds all calls; given tensors take the memory that `shared` has for their names, or are filled. */
  async open(fill: Fill, shared: ReadonlyMap<string, CudaMemory> = new Map()): Promise<void> {
    for (const node of this.#graph.nodes) {
      if (node.kind !== "parameter") continue;
      const known = shared.get(node.path);
      if (known !== undefined) this.#memories.set(node, [known]);
      else await fill(node.path, this.memory(node));
    }
    const bound: BoundCall[] = [];
    for (const { call, buffers } of this.links) {
      const prepared = await this.#device.prepare(call);
      bound.push(
        prepared.bind(
          buffers.map((of) => this.#memoryOf(of)),
          this.#sizes,
        ),
      );
    }
    this.#bound = bound;
  }

  /** Memory of a node's tensor. Throws for one that no link writes: it is computed where it is read. */
  memory(node: Node): CudaMemory {
    const of = tensorOf(node);
    const writes = ({ buffers, writes }: Link): boolean =>
      buffers.slice(-writes).some((own) => own.node === of.node && own.result === of.result);
    if (of.node.kind !== "parameter" && !this.links.some(writes))
      throw new Error(`${node.site}: no link of the chain writes this ${node.kind}`);
    return this.#memoryOf(of);
  }

  given(path: string): CudaMemory {
    const node = this.#graph.nodes.find((own) => own.kind === "parameter" && own.path === path);
    if (node === undefined) throw new Error(`no tensor ${path} is given`);
    return this.memory(node);
  }

  run(which: (link: Link) => boolean = () => true): void {
    this.links.forEach((link, n) => {
      if (which(link)) this.#bound[n]!.run({});
    });
  }

  /** Median milliseconds of the links, started together, of some rounds within about `within` ms. */
  time(which: (link: Link) => boolean, within = 300): number {
    this.run(which);
    const graph: CudaGraph = this.#device.capture(() => this.run(which));
    const once = (): number => this.#device.time(() => graph.launch());
    once();
    const first = once();
    const rounds = Math.max(3, Math.min(50, Math.floor(within / Math.max(first, 0.01))));
    return median(Array.from({ length: rounds }, once));
  }

  close(): void {
    for (const memory of this.#owned) memory.free();
    this.#owned.length = 0;
  }

  #memoryOf(of: Tensor): CudaMemory {
    const own = this.#memories.get(of.node) ?? [];
    this.#memories.set(of.node, own);
    return (own[of.result] ??= this.#allocate(of));
  }

  #allocate(of: Tensor): CudaMemory {
    const type = of.node.kind === "parameter" ? of.node : nodeResults(of.node)[of.result]!;
    const count = type.axes.reduce(
      (all, { size }) => all * evaluateLaunchSize(axisExtent(size), this.#sizes),
      1,
    );
    const memory = this.#device.allocate(count * (isElement(of, this.#elements) ? 2 : 4));
    this.#owned.push(memory);
    return memory;
  }
}
