/** Chooses the CUDA kernels of an attention node and of its gradient, and says why: Hopper's, or the ones every GPU since sm_80 runs. */
import type { CudaCall } from "../../../runtime/device/cuda/launch.ts";
import type { BlockFacts } from "../../ir/block-facts.ts";
import type { AttentionGradientNode, AttentionNode } from "../../ir/graph.ts";
import type { AttentionElement } from "./element.ts";
import { attentionBackwardCall, attentionForwardCall } from "./sm80/attention-call.ts";
import { sm90BackwardCall, sm90ForwardCall, sm90Refusal } from "./sm90/attention-call.ts";

export interface PlannedCall {
  readonly path: "sm80" | "sm90";
  /** Why not Hopper's kernels; null where they are taken. */
  readonly reason: string | null;
  readonly call: CudaCall;
}

export interface PlannedAttention {
  readonly forward: PlannedCall;
  readonly backward: PlannedCall;
}

export interface PathChoice {
  /** `auto`: Hopper's kernels where GPU and node allow. `sm80`, `sm90`: these or none. */
  readonly path: "auto" | "sm80" | "sm90";
  /** True for a GPU of compute capability 9.0. */
  readonly hopper: boolean;
}

/** Why a node does not take Hopper's kernels, or null. */
function refusal(
  node: AttentionNode | AttentionGradientNode,
  element: AttentionElement,
  { path, hopper }: PathChoice,
): string | null {
  if (path === "sm80") return "asked for";
  if (!hopper) return "the GPU is not of compute capability 9.0";
  if (element === "f32") return "operands of 32 bits";
  return sm90Refusal(node);
}

/** Calls of a node and its gradient; null when only Hopper's kernels are allowed and one of the two cannot take them. */
export function planAttention(
  node: AttentionNode,
  gradient: AttentionGradientNode,
  facts: BlockFacts,
  element: AttentionElement,
  choice: PathChoice,
): PlannedAttention | null {
  const [forward, backward] = [refusal(node, element, choice), refusal(gradient, element, choice)];
  if (choice.path === "sm90" && (forward !== null || backward !== null)) return null;
  const planned = (reason: string | null, fast: () => CudaCall, any: () => CudaCall): PlannedCall =>
    reason === null ? { path: "sm90", reason, call: fast() } : { path: "sm80", reason, call: any() };
  const sixteen = element === "f32" ? "bf16" : element;
  return {
    forward: planned(
      forward,
      () => sm90ForwardCall(node, facts, sixteen),
      () => attentionForwardCall(node, facts, element),
    ),
    backward: planned(
      backward,
      () => sm90BackwardCall(gradient, facts, sixteen),
      () => attentionBackwardCall(gradient, facts, element),
    ),
  };
}
