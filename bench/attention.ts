/** Time and memory of fused attention, forward and backward, under several masks: `npx tsx bench/attention.ts --length 16384`. */
import { nodeKernel } from "../compiler/backends/cpu/node-kernels.ts";
import type { NodeKernel } from "../compiler/backends/cpu/node-kernel.ts";
import { preludeText } from "../compiler/backends/cpu/prelude.ts";
import { supportSources } from "../compiler/backends/cpu/support/sources.ts";
import * as e from "../compiler/ir/expr.ts";
import { attentionGradientNode, attentionNode, axis } from "../compiler/ir/graph-build.ts";
import { nodeOperands } from "../compiler/ir/graph-operands.ts";
import { nodeResults } from "../compiler/ir/graph-results.ts";
import type { Axis, Node } from "../compiler/ir/graph.ts";
import type { BoundPhase, Memory } from "../runtime/device/device.ts";
import { openCpuDevice } from "../runtime/device/open.ts";
import { evaluateSize, type Sizes } from "../runtime/program.ts";
import { benchDocuments, benchMasks, countVisible, type BenchMask } from "./attention-masks.ts";
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

export interface AttentionOptions extends BenchOptions {
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  readonly width: number;
}

/** Queries and keys of a block, as the kernels cut them. */
const blockSize = 64;

type Directions = readonly [forward: Node, backward: Node];

function nodesOf(
  { mask, score, slope, documents }: BenchMask,
  { batch, length, heads, width }: AttentionOptions,
): Directions {
  const [b, t] = [axis("b", batch), axis("t", length)];
  const input = (axes: readonly Axis[], dtype: "f32" | "i32", name: string): Node =>
    dtype === "i32"
      ? { kind: "input", name: "documents", axes, dtype, site: name, origin: [] }
      : {
          kind: "parameter",
          path: name,
          axes,
          init: { kind: "constant", value: 0 },
          trainable: true,
          dtype,
          site: name,
          origin: [],
        };
  const leaf = (name: string, letters: string): Node =>
    input([b, t, axis(letters[0]!, heads), axis(letters[1]!, width)], "f32", name);
  const attention = attentionNode(
    {
      regions: [{ query: leaf("query", "hd"), key: leaf("key", "gd"), when: e.bool(true) }],
      value: leaf("value", "ge"),
      mask,
      score,
      buffers: documents ? [input([b, t], "i32", "documents")] : [],
      scale: 1 / Math.sqrt(width),
      prepended: null,
    },
    "attention",
  );
  const slopes = { scoreSlope: slope, bufferGradients: [] };
  return [attention, attentionGradientNode(attention, leaf("gradient", "he"), slopes, "attention")];
}

const count = (axes: readonly Axis[]): number =>
  axes.reduce((product, { size }) => product * (size.kind === "fixed" ? size.value : 1), 1);

const scratchBytes = ({ scratch }: NodeKernel, sizes: Sizes): number =>
  scratch === null ? 0 : 4 * evaluateSize(scratch.elements, sizes);

export async function benchAttention(options: AttentionOptions): Promise<void> {
  const { batch, length, heads, width, threads, rounds } = options;
  const nodes = benchMasks.map((mask) => nodesOf(mask, options));
  const kernels = nodes.map((pair) => pair.map((node) => nodeKernel(node)));
  const half = benchMasks.map((mask) =>
    nodesOf(mask, { ...options, length: Math.ceil(length / 2) }).map((node) => nodeKernel(node)),
  );
  const device = await openCpuDevice({ kind: options.kind, threads });
  const report = new Report("attention", threads, device.description);
  report.text(
    `batch ${batch}, length ${length}, ${heads} heads of ${width}; ${rounds} rounds, masks in turns`,
  );
  const texts = new Map(kernels.flat().map(({ kernel }) => [kernel.entry, kernel.text.text]));
  const text = ['#include "lctx.h"\n#include <string.h>', preludeText.text, ...texts.values()].join("\n");
  const loaded = await device.load({
    files: { ...supportSources, "kernels.c": text },
    entries: [...texts.keys()],
  });

  const sizes: Sizes = { batch, length, threads, "query-start": 0 };
  const memories = new Map<string, Memory>();
  const shared = (name: string, bytes: number): Memory => {
    const known = memories.get(name);
    if (known !== undefined && known.byteLength >= bytes) return known;
    const memory = device.allocate(Math.max(bytes, 64));
    memories.set(name, memory);
    return memory;
  };
  /** Masks share memory: operands by their names, results by their places. */
  const bind = (node: Node, kernel: NodeKernel, direction: string): BoundPhase => {
    const operands = nodeOperands(node).map((operand, n) => {
      const bytes = 4 * count(operand.axes);
      if (operand.dtype === "i32") {
        const memory = shared("documents", bytes);
        for (let row = 0; row < batch; row++)
          memory.i32(4 * row * length, length).set(benchDocuments(length));
        return memory;
      }
      const name = operand.kind === "parameter" ? operand.path : `read ${bytes}`;
      const fresh = !memories.has(name);
      const memory = shared(name, bytes);
      const values = memory.f32(0, bytes / 4);
      if (fresh)
        for (let i = 0; i < values.length; i++) values[i] = ((i * 7919 + n * 104_729) % 2000) / 1000 - 1;
      return memory;
    });
    const results = nodeResults(node).map(({ axes }, n) => shared(`${direction} ${n}`, 4 * count(axes)));
    const all = [...operands, ...results, shared("scratch", scratchBytes(kernel, sizes))];
    const buffers = all.map((_, m) => m);
    const launch = {
      kernel: kernel.kernel.entry,
      label: node.kind,
      buffers,
      writes: buffers.slice(operands.length),
      sizes: kernel.sizes,
      scalars: kernel.scalars,
    };
    return loaded.bind([launch], (tensor) => ({ memory: all[tensor]!, offset: 0 }), sizes);
  };
  for (const kernel of kernels.flat()) shared("scratch", scratchBytes(kernel, sizes));
  const phases = nodes.map((pair, n) =>
    pair.map((node, direction) =>
      bind(node, kernels[n]![direction]!, direction === 0 ? "forward" : "backward"),
    ),
  );

  const times = benchMasks.map(() => [[], []] as [number[], number[]]);
  const processor = benchMasks.map(() => [[], []] as [number[], number[]]);
  for (let round = 0; round < rounds; round++)
    phases.forEach((pair, n) =>
      pair.forEach((phase, direction) => {
        // The first touch of memory is no part of what is asked; the cheap ones show the cost of waking up.
        if (round === 0 && n === 0) phase.run({});
        const used = process.cpuUsage();
        const start = performance.now();
        phase.run({});
        times[n]![direction]!.push(performance.now() - start);
        const { user, system } = process.cpuUsage(used);
        processor[n]![direction]!.push((user + system) / 1000);
      }),
    );
  const whole = ([forward, backward]: [number[], number[]]): number[] =>
    forward.map((value, round) => value + backward[round]!);
  const dense = countVisible(benchMasks[0]!, length, blockSize);
  report.text(
    "                             ms, median (least)                       of causal (processor time)            visible\n" +
      "                               forward           backward       forward        backward        both     blocks  pairs  scratch",
  );
  benchMasks.forEach((mask, n) => {
    const visible = countVisible(mask, length, blockSize);
    const [mine, causal] = [times[n]!, times[0]!];
    const [mineBusy, causalBusy] = [processor[n]!, processor[0]!];
    const ratios = [0, 1].map((d) => pairedRatio(mine[d]!, causal[d]!));
    const both = pairedRatio(whole(mine), whole(causal));
    const leastBoth = Math.min(...whole(mine)) / Math.min(...whole(causal));
    const busy = pairedRatio(whole(mineBusy), whole(causalBusy));
    const busyRatios = [0, 1].map((d) => pairedRatio(mineBusy[d]!, causalBusy[d]!));
    const scratch = Math.max(...kernels[n]!.map((kernel) => scratchBytes(kernel, sizes)));
    const halfScratch = Math.max(
      ...half[n]!.map((kernel) => scratchBytes(kernel, { ...sizes, length: Math.ceil(length / 2) })),
    );
    const [blocks, pairs] = [visible.blocks / dense.blocks, visible.pairs / dense.pairs];
    const each = mine.map((list) =>
      `${median(list).toFixed(1)} (${Math.min(...list).toFixed(1)})`.padStart(19),
    );
    const of = ratios.map((r, d) => `${r.toFixed(3)} (${busyRatios[d]!.toFixed(3)})`.padStart(15));
    report.text(
      `${mask.name.padEnd(25)}${each.join("")}${of.join("")}  ${both.toFixed(3)} (${busy.toFixed(3)})` +
        `${blocks.toFixed(3).padStart(8)}${pairs.toFixed(3).padStart(7)}${(scratch / 2 ** 20).toFixed(1).padStart(7)} MiB`,
    );
    report.record(mask.name, {
      batch,
      length,
      heads,
      width,
      forward_ms: mine[0].map(short),
      backward_ms: mine[1].map(short),
      forward_processor_ms: mineBusy[0].map(short),
      backward_processor_ms: mineBusy[1].map(short),
      of_causal: short(both),
      of_causal_forward: short(ratios[0]!),
      of_causal_backward: short(ratios[1]!),
      of_causal_least: short(leastBoth),
      of_causal_processor: short(busy),
      visible_blocks: short(blocks),
      visible_pairs: short(pairs),
      scratch_bytes: scratch,
      scratch_bytes_half_length: halfScratch,
    });
  });
  for (const memory of memories.values()) memory.free();
  device.close();
}

if (isMain(import.meta.url))
  await benchAttention({
    ...benchOptions(3),
    batch: argument("batch", 1),
    length: argument("length", 16_384),
    heads: argument("heads", 4),
    width: argument("width", 64),
  });
