/** Builds a runnable program from the graphs of its phases: schedule, schedule passes, kernels. */
import type { CudaSources, KernelSources } from "../runtime/device/device.ts";
import type { ParameterInfo, Program } from "../runtime/program.ts";
import { scheduleToProgram } from "./backends/cpu/program.ts";
import { scheduleToCudaProgram } from "./backends/cuda/program/program.ts";
import type { ProgramParts } from "./backends/program-parts.ts";
import type { Graph, UpdateRule } from "./ir/graph.ts";
import { graphToSchedule } from "./lower/graph-to-schedule.ts";
import { readsAhead } from "./passes/analyses/reads-ahead.ts";
import { collapseAxes } from "./passes/schedule/collapse-axes.ts";

export interface ProgramRequest {
  readonly name: string;
  /** One graph a phase: `loss` and `logits` with the output of that name, `train` with `loss` and `gradient:<path>`. */
  readonly graphs: Readonly<Partial<Record<"loss" | "train" | "logits", Graph>>>;
  /** What a step does to each trained parameter; null for a program that never trains. */
  readonly update: UpdateRule | null;
  /** All parameters, in the order they are kept; those that train get gradients and states. */
  readonly parameters: readonly ParameterInfo[];
  /** Positions a row may have at most; null when nothing limits them. */
  readonly maxLength: number | null;
}

function partsOf(request: ProgramRequest): ProgramParts {
  return {
    name: request.name,
    schedule: collapseAxes(graphToSchedule(request.graphs, request.parameters)),
    parameters: request.parameters,
    update: request.update,
    maxLength: request.maxLength,
    readsAhead: request.graphs.logits !== undefined && readsAhead(request.graphs.logits),
  };
}

/** Program and C sources. Clipping is no part of it: the trainer gives the largest norm as scalar `clip`. */
export const buildProgram = (request: ProgramRequest): { program: Program; sources: KernelSources } =>
  scheduleToProgram(partsOf(request));

/** The same for a GPU. Throws NoCudaCall for a node that no kernel computes there. */
export const buildCudaProgram = (request: ProgramRequest): { program: Program; sources: CudaSources } =>
  scheduleToCudaProgram(partsOf(request));
