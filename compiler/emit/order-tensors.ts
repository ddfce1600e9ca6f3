/** Puts a program's tensors in reading order: parameters, then the rest as phases first use them. */
import { noTensor, type Launch, type PhaseName, type Program } from "../../runtime/program.ts";

export const phaseOrder: readonly PhaseName[] = ["logits", "loss", "train", "update"];

/** The same program with tensor ids counted in the order in which an emitted model.ts declares them. */
export function orderTensors(program: Program): Program {
  const byId = new Map(program.tensors.map((tensor) => [tensor.id, tensor]));
  const byName = new Map(program.tensors.map((tensor) => [tensor.name, tensor]));
  const order: number[] = [];
  const placed = new Set<number>();
  const place = (id: number): void => {
    if (id === noTensor || placed.has(id)) return;
    if (!byId.has(id)) throw new Error(`launch uses tensor ${id}, which the program does not have`);
    placed.add(id);
    order.push(id);
  };
  for (const parameter of program.parameters) {
    const tensor = byName.get(parameter.path);
    if (tensor === undefined) throw new Error(`parameter ${parameter.path} has no tensor`);
    place(tensor.id);
  }
  for (const role of ["input", "output", "state", "gradient"] as const) {
    for (const tensor of program.tensors) if (tensor.role === role) place(tensor.id);
  }
  for (const phase of phaseOrder)
    for (const launch of program.phases[phase].launches) launch.buffers.forEach(place);
  for (const tensor of program.tensors) place(tensor.id);

  const renumbered = new Map(order.map((id, n) => [id, n]));
  const renumber = (ids: readonly number[]): number[] =>
    ids.map((id) => (id === noTensor ? id : renumbered.get(id)!));
  const launches = (phase: PhaseName): Launch[] =>
    program.phases[phase].launches.map((launch) => ({
      kernel: launch.kernel,
      label: launch.label,
      buffers: renumber(launch.buffers),
      writes: renumber(launch.writes),
      sizes: launch.sizes,
      scalars: launch.scalars,
    }));
  return {
    format: program.format,
    name: program.name,
    parameters: program.parameters,
    tensors: order.map((id, n) => ({ ...byId.get(id)!, id: n })),
    phases: {
      loss: { launches: launches("loss") },
      train: { launches: launches("train") },
      update: { launches: launches("update") },
      logits: { launches: launches("logits") },
    },
    maxLength: program.maxLength,
    readsAhead: program.readsAhead,
  };
}
