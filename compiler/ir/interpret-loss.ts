/** The meaning of the loss nodes in float64, row by row over logits. */
import { emptyTensor, type Float64Tensor } from "./interpret-tensor.ts";

/** Target of a row without loss. */
const noTarget = -1;

/** Loss and log-sum-exp of each row of logits [rows, v]. */
export function crossEntropy(
  logits: Float64Tensor,
  targets: Float64Tensor,
): readonly [Float64Tensor, Float64Tensor] {
  const shape = logits.shape.slice(0, -1);
  const width = logits.shape.at(-1)!;
  const [loss, logSumExp] = [emptyTensor(shape), emptyTensor(shape)];
  for (let row = 0; row < loss.data.length; row++) {
    const own = logits.data.subarray(row * width, (row + 1) * width);
    const largest = own.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = own.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
    logSumExp.data[row] = largest + Math.log(total);
    const target = targets.data[row]!;
    if (target !== noTarget) loss.data[row] = logSumExp.data[row]! - own[target]!;
  }
  return [loss, logSumExp];
}

/** Gradient of the logits for a gradient of each row's loss. */
export function crossEntropyGradient(
  logits: Float64Tensor,
  targets: Float64Tensor,
  logSumExp: Float64Tensor,
  lossGradient: Float64Tensor,
): Float64Tensor {
  const width = logits.shape.at(-1)!;
  const gradient = emptyTensor(logits.shape);
  for (let row = 0; row < lossGradient.data.length; row++) {
    const target = targets.data[row]!;
    if (target === noTarget) continue;
    for (let v = 0; v < width; v++) {
      const weight = Math.exp(logits.data[row * width + v]! - logSumExp.data[row]!);
      gradient.data[row * width + v] = lossGradient.data[row]! * (weight - (v === target ? 1 : 0));
    }
  }
  return gradient;
}

/** Logits x · weightᵀ [rows…, v]. */
export function headLogits(x: Float64Tensor, weight: Float64Tensor): Float64Tensor {
  const [v, i] = weight.shape as [number, number];
  const logits = emptyTensor([...x.shape.slice(0, -1), v]);
  for (let row = 0; row < x.data.length / i; row++)
    for (let out = 0; out < v; out++)
      for (let n = 0; n < i; n++)
        logits.data[row * v + out]! += x.data[row * i + n]! * weight.data[out * i + n]!;
  return logits;
}

/** Gradients of x and weight for a gradient of the logits. */
export function headGradients(
  x: Float64Tensor,
  weight: Float64Tensor,
  dLogits: Float64Tensor,
): readonly [Float64Tensor, Float64Tensor] {
  const [v, i] = weight.shape as [number, number];
  const [dx, dWeight] = [emptyTensor(x.shape), emptyTensor(weight.shape)];
  for (let row = 0; row < x.data.length / i; row++)
    for (let out = 0; out < v; out++) {
      const share = dLogits.data[row * v + out]!;
      for (let n = 0; n < i; n++) {
        dx.data[row * i + n]! += share * weight.data[out * i + n]!;
        dWeight.data[out * i + n]! += share * x.data[row * i + n]!;
      }
    }
  return [dx, dWeight];
}
