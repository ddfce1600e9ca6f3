/** Executable: a program with compiled kernels and memory, at given sizes; several share their weights. */
import {
  targetOf,
  type BoundPhase,
  type Device,
  type HostUse,
  type Kernels,
  type Memory,
  type Placement,
  type ProgramSources,
  type Target,
} from "./device/device.ts";
import { allPhases, planMemory, type MemoryPlan, type Region } from "./plan/memory-plan.ts";
import {
  checkRunSizes,
  type Launch,
  type PhaseName,
  type Program,
  type Sizes,
  type TensorRole,
} from "./program.ts";
import type { TrainableModel } from "./train/model.ts";

/** Rows and positions of one run. */
export interface RunSizes {
  readonly batch: number;
  readonly length: number;
}

/** Time of one launch, alone, in milliseconds. */
export interface LaunchTime {
  readonly label: string;
  readonly kernel: string;
  readonly milliseconds: number;
}

export interface Executable extends TrainableModel {
  readonly program: Program;
  readonly device: Device;
  /** Where everything lies. Weights, states and gradients of an executable made by `at` lie in its first one. */
  readonly plan: MemoryPlan;
  /** Bytes this executable asked the device for; shared ones count where they were asked. */
  readonly memoryBytes: number;
  /** Another executable over the same weights at other sizes: evaluation, generation. Its own activations are its own. */
  at(sizes: RunSizes, phases?: readonly PhaseName[]): Executable;
  /** Changes the sizes; asks for memory only when what is there is too small. Views taken before are void. */
  resize(sizes: RunSizes): void;
  /** Runs a phase launch by launch and says what each took: the median of `repeats` whole runs, and one before them. */
  profile(
    phase: PhaseName,
    scalars: Readonly<Record<string, number>>,
    repeats?: number,
  ): readonly LaunchTime[];
}

/** Scalars with a meaning of "nothing special" when a caller says nothing: gradients replace those of the run before. */
const restingScalars = { accumulate: 0 } as const;

/** What the host does with tensors of each role, where it and the device have memories of their own. */
const hostUse: Readonly<Record<TensorRole, HostUse>> = {
  input: "give",
  parameter: "change",
  state: "change",
  gradient: "read",
  output: "read",
  activation: "read",
  scratch: "read",
};

/** Memory of weights, freed when the last executable over it closes. */
class KeptMemory {
  readonly memory: Memory | null;
  readonly plan: MemoryPlan;
  #users = 1;

  constructor(memory: Memory | null, plan: MemoryPlan) {
    this.memory = memory;
    this.plan = plan;
  }

  share(): this {
    this.#users++;
    return this;
  }

  release(): void {
    if (--this.#users === 0) this.memory?.free();
  }
}

/**
 * Compiles the sources and makes room for the phases at the given sizes; memory is zero-filled.
 * Throws a RangeError for sizes the program cannot run at, and what the device throws for kernels and memory.
 */
export async function instantiate(
  program: Program,
  sources: ProgramSources,
  device: Device,
  sizes: RunSizes,
  phases: readonly PhaseName[] = allPhases,
): Promise<Executable> {
  const wanted = new Set(
    phases.flatMap((phase) => program.phases[phase].launches.map(({ kernel }) => kernel)),
  );
  const kernels = await device.load(sources, wanted);
  return new LoadedProgram(program, targetOf(sources), kernels, device, sizes, phases, null);
}

function fullSizes(program: Program, device: Device, { batch, length }: RunSizes): Sizes {
  checkRunSizes(program, { batch, length });
  return { batch, length, threads: device.threads, "query-start": 0 };
}

class LoadedProgram implements Executable {
  readonly program: Program;
  readonly device: Device;
  readonly checksGradients: boolean;
  readonly #target: Target;
  readonly #kernels: Kernels;
  readonly #kept: KeptMemory;
  readonly #ownsKept: boolean;
  readonly #memories: Record<Exclude<Region, "kept">, Memory | null> = { exchanged: null, arena: null };
  readonly #phases: readonly PhaseName[];
  readonly #bound = new Map<PhaseName, BoundPhase>();
  readonly #ids: ReadonlyMap<string, number>;
  #plan: MemoryPlan;
  #closed = false;

  constructor(
    program: Program,
    target: Target,
    kernels: Kernels,
    device: Device,
    sizes: RunSizes,
    phases: readonly PhaseName[],
    kept: KeptMemory | null,
  ) {
    this.program = program;
    this.device = device;
    this.#target = target;
    this.checksGradients = target === "cuda";
    this.#kernels = kernels;
    this.#phases = phases;
    this.#ids = new Map(program.tensors.map((tensor) => [tensor.name, tensor.id]));
    this.#plan = planMemory(program, phases, fullSizes(program, device, sizes));
    if (kept !== null) this.#checkKept(kept.plan);
    this.#ownsKept = kept === null;
    this.#kept = kept?.share() ?? new KeptMemory(this.#allocate(this.#plan.regions.kept), this.#plan);
    try {
      this.#makeRoom();
    } catch (error) {
      this.#free();
      throw error;
    }
  }

  get plan(): MemoryPlan {
    return this.#plan;
  }

  get sizes(): Sizes {
    return this.#plan.sizes;
  }

  get memoryBytes(): number {
    const own = this.#ownsKept ? (this.#kept.memory?.byteLength ?? 0) : 0;
    return own + (this.#memories.exchanged?.byteLength ?? 0) + (this.#memories.arena?.byteLength ?? 0);
  }

  at(sizes: RunSizes, phases: readonly PhaseName[] = this.#phases): Executable {
    this.#checkOpen();
    return new LoadedProgram(
      this.program,
      this.#target,
      this.#kernels,
      this.device,
      sizes,
      phases,
      this.#kept,
    );
  }

  resize(sizes: RunSizes): void {
    this.#checkOpen();
    const full = fullSizes(this.program, this.device, sizes);
    if (full.batch === this.sizes.batch && full.length === this.sizes.length) return;
    this.#plan = planMemory(this.program, this.#phases, full);
    this.#makeRoom();
  }

  tensor(name: string): Float32Array | Int32Array {
    this.#checkOpen();
    const id = this.#ids.get(name);
    if (id === undefined) throw new RangeError(`program ${this.program.name} has no tensor "${name}"`);
    const { tensor, elements, region } = this.#slot(id);
    if (region === "arena") throw new RangeError(`tensor "${name}" lives only inside a phase`);
    const { memory, offset } = this.#place(id);
    const use = hostUse[tensor.role];
    return tensor.dtype === "f32" ? memory.f32(offset, elements, use) : memory.i32(offset, elements, use);
  }

  run(phase: PhaseName, scalars: Readonly<Record<string, number>>): void {
    this.#checkOpen();
    let bound = this.#bound.get(phase);
    if (bound === undefined) {
      bound = this.#bind(this.#launches(phase));
      this.#bound.set(phase, bound);
    }
    bound.run({ ...restingScalars, ...scalars });
  }

  profile(phase: PhaseName, scalars: Readonly<Record<string, number>>, repeats = 5): readonly LaunchTime[] {
    this.#checkOpen();
    const launches = this.#launches(phase);
    const single = launches.map((launch) => this.#bind([launch]));
    const given = { ...restingScalars, ...scalars };
    const times = launches.map((): number[] => []);
    for (let repeat = -1; repeat < repeats; repeat++)
      single.forEach((bound, n) => {
        const start = performance.now();
        const own = bound.time?.(given);
        if (own === undefined) bound.run(given);
        if (repeat >= 0) times[n]!.push(own ?? performance.now() - start);
      });
    return launches.map(({ label, kernel }, n) => {
      const sorted = times[n]!.sort((a, b) => a - b);
      return { label, kernel, milliseconds: sorted[sorted.length >> 1]! };
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#free();
  }

  #launches(phase: PhaseName): readonly Launch[] {
    if (!this.#phases.includes(phase)) throw new RangeError(`phase ${phase} was not made ready`);
    return this.program.phases[phase].launches;
  }

  #bind(launches: readonly Launch[]): BoundPhase {
    return this.#kernels.bind(launches, (id) => this.#place(id), this.sizes);
  }

  #slot(id: number) {
    const slot = (this.#plan.slots.get(id)?.region === "kept" ? this.#kept.plan : this.#plan).slots.get(id);
    if (slot === undefined) {
      const name = this.program.tensors[id]?.name ?? String(id);
      throw new RangeError(`no phase made ready uses tensor "${name}"`);
    }
    return slot;
  }

  #place(id: number): Placement {
    const { region, offset } = this.#slot(id);
    const memory = region === "kept" ? this.#kept.memory : this.#memories[region];
    if (memory === null) throw new RangeError(`region ${region} is empty`);
    return { memory, offset };
  }

  /** Weights of other phases may be missing from the first executable: say so before anything is allocated. */
  #checkKept(kept: MemoryPlan): void {
    for (const slot of this.#plan.slots.values())
      if (slot.region === "kept" && !kept.slots.has(slot.tensor.id))
        throw new RangeError(
          `tensor "${slot.tensor.name}" is not kept by the executable that shares its weights`,
        );
  }

  #makeRoom(): void {
    this.#bound.clear();
    for (const region of ["exchanged", "arena"] as const) {
      const bytes = this.#plan.regions[region];
      const there = this.#memories[region];
      if (there !== null && there.byteLength >= bytes) continue;
      this.#memories[region] = null;
      there?.free();
      this.#memories[region] = this.#allocate(bytes);
    }
  }

  #allocate(bytes: number): Memory | null {
    return bytes === 0 ? null : this.device.allocate(bytes);
  }

  #free(): void {
    this.#bound.clear();
    for (const region of ["exchanged", "arena"] as const) {
      this.#memories[region]?.free();
      this.#memories[region] = null;
    }
    this.#kept.release();
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error(`executable of ${this.program.name} is closed`);
  }
}
