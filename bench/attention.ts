/** Time and memory of fused attention, forward and backward, under several masks: `npx tsx bench/attention.ts --length 16384`. */
import { availableParallelism, cpus, loadavg } from "node:os";
import { nodeKernel } from "../compiler/backends/cpu/node-kernels.ts";
import { preludeText } from "../compiler/backends/cpu/prelude.ts";
import { supportSources } from "../compiler/backends/cpu/support/sources.ts";
import * as e from "../compiler/ir/expr.ts";
import { attentionGradientNode, attentionNode, axis } from "../compiler/ir/graph-build.ts";
import { nodeOperands } from "../compiler/ir/graph-operands.ts";
import { nodeResults } from "../compiler/ir/graph-results.ts";
import type { Node } from "../compiler/ir/graph.ts";
import { openCpuDevice } from "../runtime/device/open.ts";
import type { Memory } from "../runtime/device/device.ts";
import { evaluateSize } from "../runtime/program.ts";
import { flag, numberArgument, record, say } from "./arguments.ts";

const [batch, length] = [numberArgument("batch", 1), numberArgument("length", 16_384)];
const [heads, width, repeats] = [
  numberArgument("heads", 4),
  numberArgument("width", 64),
  numberArgument("repeats", 3),
];

const [q, k] = [e.index("q"), e.index("k")];
const causal = e.le(k, q);
const distance = e.sub(q, k);
const block = (x: e.Expr): e.Expr => e.binary("floor-div", x, e.int(1024));
const masks: readonly { name: string; mask: e.Expr; score: e.Expr; slope: e.Expr }[] = [
  { name: "causal", mask: causal, score: e.logit, slope: e.real(1) },
  { name: "window 1024", mask: e.and(causal, e.lt(distance, e.int(1024))), score: e.logit, slope: e.real(1) },
  {
    name: "window 1024, 4 sinks",
    mask: e.and(causal, e.or(e.lt(distance, e.int(1024)), e.lt(k, e.int(4)))),
    score: e.logit,
    slope: e.real(1),
  },
  { name: "blocks of 1024", mask: e.and(causal, e.eq(block(q), block(k))), score: e.logit, slope: e.real(1) },
  {
    name: "causal, distance penalty",
    mask: causal,
    score: e.sub(e.logit, e.mul(e.real(0.01), e.toReal(distance))),
    slope: e.real(1),
  },
];

const leaf = (path: string, letters: string): Node => ({
  kind: "parameter",
  path,
  axes: [axis("b", batch), axis("t", length), axis(letters[0]!, heads), axis(letters[1]!, width)],
  init: { kind: "constant", value: 0 },
  trainable: true,
  dtype: "f32",
  site: path,
  origin: [],
});
const nodes = masks.map(({ mask, score, slope }) => {
  const attention = attentionNode(
    {
      regions: [{ query: leaf("query", "hd"), key: leaf("key", "gd"), when: e.bool(true) }],
      value: leaf("value", "ge"),
      mask,
      score,
      buffers: [],
      scale: 1 / Math.sqrt(width),
      prepended: null,
    },
    "attention",
  );
  const up = leaf("gradient", "he");
  const slopes = { scoreSlope: slope, bufferGradients: [] };
  return [attention, attentionGradientNode(attention, up, slopes, "attention")] as const;
});

const threads = numberArgument("threads", availableParallelism());
const device = await openCpuDevice({ kind: flag("wasm") ? "wasm" : "native", threads });
say(`${device.description}; load ${loadavg()[0]!.toFixed(2)} on ${cpus().length} cores`);
say(`batch ${batch}, length ${length}, ${heads} heads of ${width}; best of ${repeats}`);
const kernels = nodes.flat().map((node) => nodeKernel(node));
const texts = new Map(kernels.map(({ kernel }) => [kernel.entry, kernel.text.text]));
const loaded = await device.load({
  files: {
    ...supportSources,
    "kernels.c": ['#include "lctx.h"\n#include <string.h>', preludeText.text, ...texts.values()].join("\n"),
  },
  entries: [...texts.keys()],
});

const sizes = { batch, length, threads, "query-start": 0 };
/** Bytes of scratch, and the best time of a launch in milliseconds. */
function time(node: Node, at: number): { milliseconds: number; scratch: number } {
  const { kernel, sizes: kernelSizes, scalars, scratch } = kernels[at]!;
  const count = (of: { axes: Node["axes"] }): number =>
    of.axes.reduce((product, { size }) => product * (size.kind === "fixed" ? size.value : 1), 1);
  const floats = scratch === null ? 0 : evaluateSize(scratch.elements, sizes);
  const inputs = nodeOperands(node).length;
  const memories: Memory[] = [...nodeOperands(node).map(count), ...nodeResults(node).map(count), floats].map(
    (n) => device.allocate(Math.max(4 * n, 64)),
  );
  memories.slice(0, inputs).forEach((memory, m) => {
    const values = memory.f32(0, memory.byteLength / 4);
    for (let i = 0; i < values.length; i++) values[i] = ((i * 7919 + m * 104_729) % 2000) / 1000 - 1;
  });
  const buffers = memories.map((_, m) => m);
  const launch = {
    kernel: kernel.entry,
    label: node.kind,
    buffers,
    writes: buffers.slice(inputs),
    sizes: kernelSizes,
    scalars,
  };
  const bound = loaded.bind([launch], (tensor) => ({ memory: memories[tensor]!, offset: 0 }), sizes);
  let best = Infinity;
  for (let n = 0; n <= repeats; n++) {
    const start = performance.now();
    bound.run({});
    if (n > 0) best = Math.min(best, performance.now() - start);
  }
  for (const memory of memories) memory.free();
  return { milliseconds: best, scratch: 4 * floats };
}

let dense: readonly number[] | null = null;
masks.forEach(({ name }, n) => {
  const [forward, backward] = nodes[n]!.map((node, direction) => time(node, 2 * n + direction));
  const times = [forward!.milliseconds, backward!.milliseconds];
  dense ??= times;
  const ratio = (times[0]! + times[1]!) / (dense[0]! + dense[1]!);
  say(
    `${name.padEnd(26)} forward ${times[0]!.toFixed(1).padStart(8)} ms  backward ${times[1]!.toFixed(1).padStart(8)} ms  ` +
      `${ratio.toFixed(3)} of causal  scratch ${((forward!.scratch + backward!.scratch) / 2 ** 20).toFixed(1)} MiB`,
  );
  record({
    case: name,
    length,
    forward: times[0]!,
    backward: times[1]!,
    ratio,
    scratch: forward!.scratch + backward!.scratch,
  });
});
device.close();
