/** Where every tensor of a program lies: lifetimes inside each phase, packed without overlap, in exact bytes. */
import {
  evaluateSize,
  noTensor,
  type PhaseName,
  type Program,
  type Sizes,
  type Tensor,
  type TensorRole,
} from "../program.ts";

/** Every tensor starts at a multiple of this many bytes: a cache line, and the widest vector. */
export const alignment = 64;

/** `kept` lives as long as the run (parameters, states, gradients); `exchanged` holds inputs and outputs; `arena` is reused inside and between phases. */
export type Region = "kept" | "exchanged" | "arena";

export interface Slot {
  readonly tensor: Tensor;
  readonly region: Region;
  /** Bytes from the start of the region. */
  readonly offset: number;
  /** Bytes of the tensor itself, without padding. */
  readonly bytes: number;
  readonly elements: number;
}

/** First and last launch of a phase that touches a tensor. */
export interface Lifetime {
  readonly phase: PhaseName;
  readonly from: number;
  readonly to: number;
}

export interface MemoryPlan {
  readonly phases: readonly PhaseName[];
  readonly sizes: Sizes;
  /** By tensor id; tensors that no planned phase uses have none, save parameters. */
  readonly slots: ReadonlyMap<number, Slot>;
  readonly lifetimes: ReadonlyMap<number, Lifetime>;
  /** Bytes to allocate for each region. */
  readonly regions: Readonly<Record<Region, number>>;
  /** Bytes the arena would need for each phase alone. */
  readonly phaseArena: Readonly<Partial<Record<PhaseName, number>>>;
  /** Bytes by role, each tensor rounded up to the alignment; the arena counts as a whole under `arena`. */
  readonly roles: Readonly<Record<Exclude<TensorRole, "activation" | "scratch"> | "arena", number>>;
  /** Sum of the regions. */
  readonly total: number;
}

export const roundUp = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

const regionOf: Readonly<Record<TensorRole, Region>> = {
  parameter: "kept",
  state: "kept",
  gradient: "kept",
  input: "exchanged",
  output: "exchanged",
  activation: "arena",
  scratch: "arena",
};

export const allPhases: readonly PhaseName[] = ["loss", "train", "update", "logits"];

/** Elements of a tensor at given sizes. */
export function elementCount(tensor: Tensor, sizes: Sizes): number {
  const count = tensor.shape.reduce<number>((product, extent) => product * evaluateSize(extent, sizes), 1);
  if (!Number.isSafeInteger(count * 4)) throw new RangeError(`tensor ${tensor.name} is too large`);
  return count;
}

interface Block {
  readonly tensor: number;
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Offsets for blocks so that two that live at once never overlap: largest first, each into the tightest gap among the
 * blocks already placed that live while it does. Returns the bytes needed.
 */
export function packBlocks(
  blocks: readonly Block[],
  place: (tensor: number, offset: number) => void,
): number {
  const order = [...blocks].sort((a, b) => b.size - a.size || a.from - b.from || a.tensor - b.tensor);
  const placed: { block: Block; offset: number }[] = [];
  let top = 0;
  for (const block of order) {
    const alive = placed
      .filter((other) => other.block.from <= block.to && block.from <= other.block.to)
      .sort((a, b) => a.offset - b.offset);
    let best = -1;
    let bestGap = Infinity;
    let end = 0;
    for (const other of alive) {
      const gap = other.offset - end;
      if (gap >= block.size && gap < bestGap) [best, bestGap] = [end, gap];
      end = Math.max(end, other.offset + other.block.size);
    }
    const offset = best >= 0 ? best : end;
    placed.push({ block, offset });
    place(block.tensor, offset);
    top = Math.max(top, offset + block.size);
  }
  return top;
}

/** Launches of a phase that touch each tensor: first and last. */
function lifetimesIn(program: Program, phase: PhaseName, into: Map<number, Lifetime>): void {
  program.phases[phase].launches.forEach((launch, n) => {
    for (const id of launch.buffers) {
      if (id === noTensor) continue;
      const role = program.tensors[id]?.role;
      if (role === undefined)
        throw new Error(`${launch.label} uses tensor ${id}, which the program does not have`);
      const known = into.get(id);
      if (known !== undefined && known.phase !== phase && regionOf[role] === "arena")
        throw new Error(
          `tensor ${program.tensors[id]!.name} is used by phases ${known.phase} and ${phase} but kept by none`,
        );
      into.set(id, known === undefined ? { phase, from: n, to: n } : { ...known, to: n });
    }
  });
}

/**
 * Plans memory for some phases at given sizes. All parameters have a place; states, gradients, inputs and outputs have
 * one when a planned phase uses them; activations and scratch of different phases share the arena.
 */
export function planMemory(program: Program, phases: readonly PhaseName[], sizes: Sizes): MemoryPlan {
  const lifetimes = new Map<number, Lifetime>();
  for (const phase of phases) lifetimesIn(program, phase, lifetimes);
  const slots = new Map<number, Slot>();
  const regions: Record<Region, number> = { kept: 0, exchanged: 0, arena: 0 };
  const roles = { parameter: 0, state: 0, gradient: 0, input: 0, output: 0, arena: 0 };
  const slot = (tensor: Tensor, offset: number): Slot => {
    const elements = elementCount(tensor, sizes);
    return { tensor, region: regionOf[tensor.role], offset, bytes: elements * 4, elements };
  };
  for (const tensor of program.tensors) {
    const region = regionOf[tensor.role];
    if (region === "arena") continue;
    if (tensor.role !== "parameter" && !lifetimes.has(tensor.id)) continue;
    const made = slot(tensor, regions[region]);
    slots.set(tensor.id, made);
    const bytes = roundUp(made.bytes);
    regions[region] += bytes;
    roles[tensor.role as Exclude<TensorRole, "activation" | "scratch">] += bytes;
  }
  const phaseArena: Partial<Record<PhaseName, number>> = {};
  for (const phase of phases) {
    const blocks: Block[] = [];
    for (const [id, life] of lifetimes) {
      const tensor = program.tensors[id]!;
      if (life.phase !== phase || regionOf[tensor.role] !== "arena") continue;
      blocks.push({
        tensor: id,
        size: roundUp(elementCount(tensor, sizes) * 4),
        from: life.from,
        to: life.to,
      });
    }
    const bytes = packBlocks(blocks, (id, offset) => slots.set(id, slot(program.tensors[id]!, offset)));
    phaseArena[phase] = bytes;
    regions.arena = Math.max(regions.arena, bytes);
  }
  roles.arena = regions.arena;
  const total = regions.kept + regions.exchanged + regions.arena;
  return { phases, sizes, slots, lifetimes, regions, phaseArena, roles, total };
}
