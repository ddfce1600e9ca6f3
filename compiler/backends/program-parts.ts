/** ProgramParts: what every backend makes a Program of, and what all programs have in common. */
import type {
  Launch,
  ParameterInfo,
  Phase,
  PhaseName,
  Program,
  Size,
  Tensor,
  TensorRole,
} from "../../runtime/program.ts";
import type { UpdateRule } from "../ir/graph.ts";
import type { Schedule, Step } from "../ir/schedule.ts";

export interface ProgramParts {
  readonly name: string;
  readonly schedule: Schedule;
  readonly parameters: readonly ParameterInfo[];
  /** Null for a program that never trains. */
  readonly update: UpdateRule | null;
  /** Positions a row may have at most; null when nothing limits them. */
  readonly maxLength: number | null;
  readonly readsAhead: boolean;
}

/** Elements of each parameter that trains. */
export const trainedCounts = (parameters: readonly ParameterInfo[]): readonly number[] =>
  parameters
    .filter((parameter) => parameter.trainable)
    .map(({ shape }) => shape.reduce((product, extent) => product * extent, 1));

/** What the update of one trained parameter reads and writes, as tensor ids. */
export interface UpdatedParameter {
  readonly weight: number;
  readonly gradient: number;
  /** In the order of the rule. */
  readonly states: readonly number[];
}

/** Tensors of a program that is being made: those of its schedule, and those that a backend adds. */
export class ProgramTensors {
  readonly all: Tensor[];

  constructor(tensors: readonly Tensor[]) {
    this.all = [...tensors];
  }

  /** Adds a tensor of f32; returns its id. */
  add(name: string, role: TensorRole, shape: readonly Size[]): number {
    const id = this.all.length;
    this.all.push({ id, name, dtype: "f32", shape, role });
    return id;
  }

  /** Adds the optimizer states of the parameters that train. */
  updated(rule: UpdateRule, parameters: readonly ParameterInfo[]): readonly UpdatedParameter[] {
    const byName = new Map(this.all.map((tensor) => [tensor.name, tensor.id]));
    const find = (name: string): number => {
      const id = byName.get(name);
      if (id === undefined) throw new Error(`the program has no tensor ${name}`);
      return id;
    };
    return parameters
      .filter((parameter) => parameter.trainable)
      .map(({ path, shape }) => ({
        weight: find(path),
        gradient: find(`gradient:${path}`),
        states: rule.states.map((state) => this.add(`state:${state.name}:${path}`, "state", shape)),
      }));
  }
}

/** How a backend turns steps and the update into launches. */
export interface ProgramLaunches {
  readonly tensors: ProgramTensors;
  launches(phase: PhaseName, steps: readonly Step[]): readonly Launch[];
  update(rule: UpdateRule, parameters: readonly ParameterInfo[]): readonly Launch[];
}

/** The program of a schedule. Phases that the schedule lacks have no launches. */
export function assembleProgram(parts: ProgramParts, builder: ProgramLaunches): Program {
  const phase = (name: PhaseName): Phase => ({
    launches: builder.launches(name, parts.schedule.phases[name] ?? []),
  });
  const phases = { loss: phase("loss"), train: phase("train"), logits: phase("logits") };
  const update: Phase = {
    launches: parts.update === null ? [] : builder.update(parts.update, parts.parameters),
  };
  return {
    format: 1,
    name: parts.name,
    parameters: parts.parameters,
    tensors: builder.tensors.all,
    phases: { ...phases, update },
    maxLength: parts.maxLength,
    readsAhead: parts.readsAhead,
  };
}
