/** What an emitted TensorFlow.js model.ts says of itself: parameters, states, batch data and results, for the trainer. */
import type { ParameterInfo, Program, Size, Tensor, TensorRole } from "../program.ts";
import type { KernelSources } from "../device/device.ts";

export interface Description {
  /** Positions a row may have at most; null when nothing limits them. */
  readonly maxLength: number | null;
  /** Rows must not be padded: what follows a row's end is part of it. */
  readonly readsAhead?: boolean;
  readonly parameters: readonly ParameterInfo[];
  /** Optimizer states of each parameter that trains. */
  readonly states: readonly string[];
  /** Shapes of batch data and results by name. */
  readonly inputs: Readonly<Record<string, readonly Size[]>>;
  readonly outputs: Readonly<Record<string, readonly Size[]>>;
}

export function parameter(
  path: string,
  shape: readonly number[],
  init: ParameterInfo["init"],
  { trainable = true }: { readonly trainable?: boolean } = {},
): ParameterInfo {
  return { path, shape, init, trainable };
}

/** Of a program whose phases are functions: there is nothing to compile. */
export const noKernels: KernelSources = { files: {}, entries: [] };

export function describe(name: string, of: Description): Program {
  const tensors: Tensor[] = [];
  const add = (own: string, role: TensorRole, shape: readonly Size[], dtype: Tensor["dtype"] = "f32"): void =>
    void tensors.push({ id: tensors.length, name: own, dtype, shape, role });
  const trained = of.parameters.filter(({ trainable }) => trainable);
  for (const { path, shape } of of.parameters) add(path, "parameter", shape);
  for (const { path, shape } of trained) add(`gradient:${path}`, "gradient", shape);
  for (const { path, shape } of trained)
    for (const state of of.states) add(`state:${state}:${path}`, "state", shape);
  for (const [own, shape] of Object.entries(of.inputs))
    add(own, "input", shape, shape.length === 0 ? "f32" : "i32");
  for (const [own, shape] of Object.entries(of.outputs)) add(own, "output", shape);
  const none = { launches: [] };
  return {
    format: 1,
    name,
    parameters: of.parameters,
    tensors,
    phases: { loss: none, train: none, update: none, logits: none },
    maxLength: of.maxLength,
    readsAhead: of.readsAhead ?? false,
  };
}
