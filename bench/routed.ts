/** Processor time of attention over chosen blocks against dense causal attention of the same run: `lctx bench routed`. */
import { nodeKernel } from "../compiler/backends/cpu/node-kernels.ts";
import { preludeText } from "../compiler/backends/cpu/prelude.ts";
import { supportSources } from "../compiler/backends/cpu/support/sources.ts";
import { axisExtent } from "../compiler/ir/axis-extent.ts";
import { nodeOperands } from "../compiler/ir/graph-operands.ts";
import { nodeResults } from "../compiler/ir/graph-results.ts";
import type { Node } from "../compiler/ir/graph.ts";
import type { BoundPhase, Memory } from "../runtime/device/device.ts";
import { openCpuDevice } from "../runtime/device/open.ts";
import { evaluateSize, type Sizes } from "../runtime/program.ts";
import {
  argument,
  benchOptions,
  isMain,
  median,
  pairedRatio,
  Report,
  short,
  type BenchOptions,
} from "./report.ts";
import { densityOf, routedCase, type RoutedCase, type RoutedShape } from "./routed-cases.ts";

export interface RoutedOptions extends BenchOptions, RoutedShape {
  /** Shares of the causal blocks that are chosen: 1/2, 1/4, … down to one in this many. */
  readonly sparsest: number;
}

/** Queries of a block are alike, so that they agree on most of what they choose. */
function fill(name: string, values: Float32Array, { heads, width, block }: RoutedShape): void {
  let state = [...name].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), 7) >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const row = heads * width;
  const shared = new Float32Array(row);
  for (let n = 0; n < values.length; n++) {
    if (name !== "query") values[n] = next();
    else {
      if (n % (block * row) < row) shared[n % row] = 2 * next();
      values[n] = shared[n % row]! + 0.2 * next();
    }
  }
}

type Step = "routing" | "forward" | "backward";
const steps: readonly Step[] = ["routing", "forward", "backward"];

export async function benchRouted(options: RoutedOptions): Promise<void> {
  const { length, heads, width, block, threads, rounds, sparsest } = options;
  const sizes: Sizes = { batch: 1, length, threads, "query-start": 0 };
  const densities = Array.from({ length: Math.log2(sparsest) }, (_, n) => 1 / 2 ** (n + 1));
  const cases = [
    routedCase(options, "dense", 1),
    ...(["blocks", "tokens"] as const).flatMap((rows) =>
      densities.map((density) => routedCase(options, rows, density)),
    ),
  ];
  const nodesOf = (own: RoutedCase, step: Step): readonly Node[] =>
    step === "routing" ? own.routing : [own[step]];
  const kernels = new Map(
    cases.flatMap((own) =>
      steps.flatMap((step) => nodesOf(own, step).map((node) => [node, nodeKernel(node)] as const)),
    ),
  );
  const device = await openCpuDevice({ kind: options.kind, threads });
  const report = new Report("routed", threads, device.description);
  report.text(
    `length ${length}, ${heads} heads of ${width}, blocks of ${block}; ${rounds} rounds, cases in turns`,
  );
  const texts = new Map([...kernels.values()].map(({ kernel }) => [kernel.entry, kernel.text.text]));
  const text = ['#include "lctx.h"\n#include <string.h>', preludeText.text, ...texts.values()].join("\n");
  const loaded = await device.load({
    files: { ...supportSources, "kernels.c": text },
    entries: [...texts.keys()],
  });

  const memories = new Map<string, Memory>();
  const shared = (name: string, bytes: number): Memory => {
    const known = memories.get(name);
    if (known !== undefined && known.byteLength >= bytes) return known;
    const memory = device.allocate(Math.max(bytes, 64));
    memories.set(name, memory);
    return memory;
  };
  const bytesOf = (node: Pick<Node, "axes">): number =>
    node.axes.reduce((bytes, { size }) => bytes * evaluateSize(axisExtent(size), sizes), 4);
  const scratchOf = (node: Node): number => {
    const { scratch } = kernels.get(node)!;
    return scratch === null ? 0 : 4 * evaluateSize(scratch.elements, sizes);
  };
  shared("scratch", Math.max(...[...kernels.keys()].map(scratchOf)));
  const made = new Set<string>(["key means", "query means"]);
  const operandMemory = (operand: Node): Memory => {
    // Attention's own results, which its gradient reads.
    if (operand.kind === "attention") return shared("output", bytesOf(operand));
    if (operand.kind === "result") return shared("output 1", bytesOf(operand));
    const name = operand.kind === "parameter" ? operand.path : operand.site;
    const fresh = !memories.has(name);
    const memory = shared(name, bytesOf(operand));
    if (fresh && operand.dtype === "f32" && !made.has(name))
      fill(name, memory.f32(0, bytesOf(operand) / 4), options);
    return memory;
  };
  const bind = (nodes: readonly Node[]): BoundPhase => {
    const all: Memory[] = [];
    const launches = nodes.map((node) => {
      const { kernel, sizes: own, scalars } = kernels.get(node)!;
      const operands = nodeOperands(node).map(operandMemory);
      const results = nodeResults(node).map((result, n) =>
        shared(n === 0 ? node.site : `${node.site} ${n}`, bytesOf(result)),
      );
      const first = all.length;
      all.push(...operands, ...results, memories.get("scratch")!);
      const buffers = all.slice(first).map((_, n) => first + n);
      const writes = buffers.slice(operands.length);
      return { kernel: kernel.entry, label: node.kind, buffers, writes, sizes: own, scalars };
    });
    return loaded.bind(launches, (tensor) => ({ memory: all[tensor]!, offset: 0 }), sizes);
  };
  const phases = cases.map((own) =>
    steps.map((step) => (nodesOf(own, step).length === 0 ? null : bind(nodesOf(own, step)))),
  );

  const times = cases.map(() => steps.map((): number[] => []));
  const densitiesSeen = cases.map(() => ({ tiles: 1, pairs: 1 }));
  for (let round = 0; round < rounds; round++)
    cases.forEach((own, n) =>
      phases[n]!.forEach((phase, step) => {
        if (phase === null) return times[n]![step]!.push(0);
        // The first touch of memory is no part of what is asked.
        if (round === 0 && n === 0) phase.run({});
        const used = process.cpuUsage();
        phase.run({});
        const { user, system } = process.cpuUsage(used);
        times[n]![step]!.push((user + system) / 1000);
        if (round > 0 || own.rows === "dense" || steps[step] !== "routing") return undefined;
        const set = memories.get(`set of ${own.rows}`)!;
        densitiesSeen[n] = densityOf(own, options, set.i32(0, set.byteLength / 4));
        return undefined;
      }),
    );
  const sums = (n: number, which: readonly Step[]): number[] =>
    times[n]![0]!.map((_, round) =>
      which.reduce((sum, step) => sum + times[n]![steps.indexOf(step)]![round]!, 0),
    );
  report.text(
    "                     processor ms, median         chosen        ratio to dense / share of tiles\n" +
      "                 routing  forward backward   tiles   pairs   forward backward   both  with routing",
  );
  cases.forEach((own, n) => {
    const ratio = (which: readonly Step[]): number =>
      pairedRatio(
        sums(n, which),
        sums(
          0,
          which.filter((step) => step !== "routing"),
        ),
      );
    const { tiles, pairs } = densitiesSeen[n]!;
    const ratios = [ratio(["forward"]), ratio(["backward"]), ratio(["forward", "backward"]), ratio(steps)];
    report.text(
      `${own.name.padEnd(15)}${steps
        .map((step) =>
          median(sums(n, [step]))
            .toFixed(1)
            .padStart(9),
        )
        .join("")}` +
        `${tiles.toFixed(4).padStart(8)}${pairs.toFixed(4).padStart(8)}` +
        ratios.map((one) => (one / tiles).toFixed(2).padStart(9)).join(""),
    );
    report.record(own.name, {
      length,
      heads,
      width,
      block,
      top: own.top,
      routing_processor_ms: times[n]![0]!.map(short),
      forward_processor_ms: times[n]![1]!.map(short),
      backward_processor_ms: times[n]![2]!.map(short),
      chosen_tiles: short(tiles),
      chosen_pairs: short(pairs),
      of_dense_forward: short(ratios[0]!),
      of_dense_backward: short(ratios[1]!),
      of_dense: short(ratios[2]!),
      of_dense_with_routing: short(ratios[3]!),
      scratch_bytes: Math.max(...steps.flatMap((step) => nodesOf(own, step).map(scratchOf))),
    });
  });
  for (const memory of memories.values()) memory.free();
  device.close();
}

if (isMain(import.meta.url))
  await benchRouted({
    ...benchOptions(3),
    length: argument("length", 8192),
    heads: argument("heads", 4),
    width: argument("width", 64),
    block: argument("block", 64),
    sparsest: argument("sparsest", 32),
  });
