/** The library that emitted TensorFlow.js modules are written on. */
export { attention, logSumExp } from "./attention.ts";
export { attentionGradient } from "./attention-gradient.ts";
export type { Attention, PairFold, Slopes } from "./attention-types.ts";
export { blockReduce, blockSpread } from "./blocks.ts";
export { crossEntropy, crossEntropyGradient, headLoss, headLossGradient } from "./loss.ts";
export { constant, normal, uniform as evenly } from "../program-writer.ts";
export { describe, noKernels, parameter } from "./describe.ts";
export { erf, floorDiv, floorMod } from "./numbers.ts";
export { pairReduce } from "./pair-reduce.ts";
export { corners, pairs } from "./place.ts";
export type { Outputs, Phases, Run, States, UpdateRun } from "./run.ts";
export { select, type Selection } from "./select.ts";
export {
  choose,
  floorDivTensor,
  floorModTensor,
  grid,
  matMul,
  scatterRows,
  spread,
  uniform,
} from "./tensors.ts";
export { rotate } from "./turn.ts";
