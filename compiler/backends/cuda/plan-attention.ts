/**
 * Chooses the CUDA kernels of an attention node and of its gradient, and says why: Hopper's, the ones every GPU since sm_80
 * runs, or forward those that split a long cache of keys.
 */
import type { CudaCall } from "../../../runtime/device/cuda/launch.ts";
import type { BlockFacts } from "../../ir/block-facts.ts";
import type { AttentionGradientNode, AttentionNode } from "../../ir/graph.ts";
import { attentionDecodeCall, decodeRefusal } from "./decode/decode-call.ts";
import { decodeLimits, prefersDecode, type AttentionSizes } from "./decode/prefers-decode.ts";
import type { AttentionElement } from "./element.ts";
import { attentionBackwardCall, attentionForwardCall } from "./sm80/attention-call.ts";
import { sm90BackwardCall, sm90ForwardCall, sm90Refusal } from "./sm90/attention-call.ts";

export interface PlannedCall {
  readonly path: "sm80" | "sm90" | "decode";
  /** Why not Hopper's kernels; null where they are taken. Every call is right at all sizes; the choice is one of speed. */
  readonly reason: string | null;
  /** What is slower than it could be: few queries over many keys whose node the decode kernels do not take; else null. */
  readonly remark: string | null;
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
  /** Sizes that it will run with, where they are known: with `auto`, few queries over many keys then take the decode kernels. */
  readonly sizes?: AttentionSizes;
}

const fewQueries = `at most ${decodeLimits.queries} queries over ${decodeLimits.keys} keys or more`;

/** Whether the decode kernels are taken, and why; where they would be faster but cannot be, a remark. */
function decodes(
  node: AttentionNode,
  element: AttentionElement,
  { path, sizes }: PathChoice,
): { readonly reason: string | null; readonly remark: string | null } {
  if (path !== "auto" || sizes === undefined || !prefersDecode(node, sizes))
    return { reason: null, remark: null };
  const refusal = decodeRefusal(node, element);
  return refusal === null
    ? { reason: `${fewQueries}: the keys are split over blocks`, remark: null }
    : {
        reason: null,
        remark: `${fewQueries}, but their keys are not split over blocks, since the node has ${refusal}: most rows of a tile are empty`,
      };
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
  const few = decodes(node, element, choice);
  const planned = (
    reason: string | null,
    remark: string | null,
    fast: () => CudaCall,
    any: () => CudaCall,
  ): PlannedCall =>
    reason === null
      ? { path: "sm90", reason, remark, call: fast() }
      : { path: "sm80", reason, remark, call: any() };
  const sixteen = element === "f32" ? "bf16" : element;
  return {
    forward:
      few.reason === null
        ? planned(
            forward,
            few.remark,
            () => sm90ForwardCall(node, facts, sixteen),
            () => attentionForwardCall(node, facts, element),
          )
        : { path: "decode", ...few, call: attentionDecodeCall(node, facts, element) },
    backward: planned(
      backward,
      null,
      () => sm90BackwardCall(gradient, facts, sixteen),
      () => attentionBackwardCall(gradient, facts, element),
    ),
  };
}
