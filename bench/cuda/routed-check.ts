/** Small texts through the same chains as the routed bench, on a GPU, against the interpreter. */
import type { CudaDevice } from "../../runtime/device/cuda/device.ts";
import type { LaunchSizes } from "../../runtime/device/cuda/launch.ts";
import type { Packed } from "../../tests/cuda/sixteen-bits.ts";
import type { Link } from "./chain/chain.ts";
import { checkChain } from "./chain/check.ts";
import { specGraph, specText } from "./chain/spec-graph.ts";
import { linksOf } from "./routed-cases.ts";

/** Spec, use, whether gradients are compared, lengths. */
const checks = [
  ["examples/seer-gate/spec.lctx", "SeerGate(block: 64, threshold: 0.2)", false, [200, 515]],
  ["examples/seer-gate/spec.lctx", "SeerGate(block: 128, threshold: 0.4)", false, [515]],
  ["examples/vertical-slash/spec.lctx", "VerticalSlash(vertical: 40, slash: 90)", false, [70, 515]],
  ["bench/specs/block-bounds.lctx", "BlockBounds(size: 128, keep: 2)", true, [300, 515]],
] as const;

/** Uploads what a link reads, runs it, and downloads what it wrote. */
const runOn =
  (device: CudaDevice) =>
  async (link: Link, buffers: readonly Packed[], sizes: LaunchSizes): Promise<void> => {
    const memories = buffers.map((data) => {
      const memory = device.allocate(Math.max(16, data.byteLength));
      device.upload(memory, data);
      return memory;
    });
    (await device.prepare(link.call)).bind(memories, sizes).run({});
    memories.forEach((memory, n) => {
      if (n >= memories.length - link.writes) device.download(memory, buffers[n]!);
      memory.free();
    });
  };

/** What differs. */
export async function checkRouted(
  device: CudaDevice,
  tell: (text: string) => void,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const [path, use, gradients, lengths] of checks) {
    const shape = { heads: 2, kvHeads: 2, size: 128, length: 1024 };
    const { graph } = specGraph(specText(path), use, shape, "evaluation", gradients);
    const links = linksOf(device, graph);
    for (const length of lengths) {
      const found = await checkChain(graph, links, runOn(device), { element: "bf16", length, seed: length });
      tell(`${use}, ${length} tokens: ${found.length === 0 ? "agrees" : found.join("; ")}`);
      wrong.push(...found.map((one) => `${use}: ${one}`));
    }
  }
  return wrong;
}
