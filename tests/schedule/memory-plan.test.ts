/** The memory plan: tensors that live at once never overlap, bytes are exact, nothing lies outside its region. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alignment, packBlocks, planMemory, roundUp } from "../../runtime/plan/memory-plan.ts";
import type { Launch, Program, Tensor, TensorRole } from "../../runtime/program.ts";

const sizes = { batch: 3, length: 7, threads: 2, "query-start": 0 } as const;

const launch = (buffers: readonly number[]): Launch => ({
  kernel: "k",
  label: "k",
  buffers,
  writes: buffers,
  sizes: [],
  scalars: [],
});

/** A program whose `train` and `loss` phases touch random activations and shared tensors in random launches. */
const programs = fc
  .record({
    activations: fc.array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.constantFrom("train", "loss")), {
      maxLength: 24,
    }),
    kept: fc.array(
      fc.tuple(
        fc.integer({ min: 0, max: 50 }),
        fc.constantFrom<TensorRole>("parameter", "gradient", "state", "input", "output"),
      ),
      { maxLength: 8 },
    ),
    picks: fc.array(fc.array(fc.nat(1000), { maxLength: 5 }), { minLength: 1, maxLength: 12 }),
  })
  .map(({ activations, kept, picks }): Program => {
    const tensors: Tensor[] = [];
    for (const [extent, role] of kept)
      tensors.push({ id: tensors.length, name: `t${tensors.length}`, dtype: "f32", shape: [extent], role });
    const shared = tensors.map((tensor) => tensor.id);
    const own: Record<string, number[]> = { train: [], loss: [] };
    for (const [extent, phase] of activations) {
      own[phase]!.push(tensors.length);
      const shape = ["batch", extent] as const;
      tensors.push({
        id: tensors.length,
        name: `t${tensors.length}`,
        dtype: "f32",
        shape,
        role: "activation",
      });
    }
    const phase = (name: string) => {
      const pool = [...shared, ...own[name]!];
      return {
        launches: picks.map((pick) =>
          launch(pool.length === 0 ? [-1] : pick.map((n) => pool[n % pool.length]!)),
        ),
      };
    };
    return {
      format: 1,
      name: "random",
      parameters: [],
      tensors,
      phases: {
        train: phase("train"),
        loss: phase("loss"),
        update: { launches: [] },
        logits: { launches: [] },
      },
      maxLength: null,
      readsAhead: false,
    };
  });

describe("planMemory", () => {
  it("keeps tensors that live at once apart and inside their regions", () => {
    fc.assert(
      fc.property(programs, (program) => {
        const plan = planMemory(program, ["train", "loss"], sizes);
        const slots = [...plan.slots.values()];
        for (const slot of slots) {
          expect(slot.offset % alignment).toBe(0);
          expect(slot.offset + slot.bytes).toBeLessThanOrEqual(plan.regions[slot.region]);
        }
        for (const a of slots)
          for (const b of slots) {
            if (a === b || a.region !== b.region) continue;
            const la = plan.lifetimes.get(a.tensor.id);
            const lb = plan.lifetimes.get(b.tensor.id);
            const together =
              a.region !== "arena" || (la!.phase === lb!.phase && la!.from <= lb!.to && lb!.from <= la!.to);
            const apart = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
            expect(!together || apart || a.bytes === 0 || b.bytes === 0).toBe(true);
          }
      }),
      { seed: 11 },
    );
  });

  it("counts every byte once: roles sum to regions sum to the total", () => {
    fc.assert(
      fc.property(programs, (program) => {
        const plan = planMemory(program, ["train", "loss"], sizes);
        const roles = Object.values(plan.roles).reduce((a, b) => a + b, 0);
        expect(roles).toBe(plan.total);
        const arenas = Object.values(plan.phaseArena);
        expect(plan.regions.arena).toBe(Math.max(0, ...arenas));
      }),
      { seed: 12 },
    );
  });

  it("needs no more than all blocks side by side, and no less than the fullest moment", () => {
    const blocks = fc.array(
      fc.record({ size: fc.integer({ min: 1, max: 40 }), from: fc.nat(20), span: fc.nat(10) }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(blocks, (given) => {
        const made = given.map(({ size, from, span }, tensor) => ({
          tensor,
          size: roundUp(size),
          from,
          to: from + span,
        }));
        const top = packBlocks(made, () => undefined);
        const moments = Array.from({ length: 32 }, (_, at) =>
          made
            .filter((block) => block.from <= at && at <= block.to)
            .reduce((sum, block) => sum + block.size, 0),
        );
        expect(top).toBeGreaterThanOrEqual(Math.max(...moments));
        expect(top).toBeLessThanOrEqual(made.reduce((sum, block) => sum + block.size, 0));
      }),
      { seed: 13 },
    );
  });

  it("refuses an activation that two phases use", () => {
    const program: Program = {
      format: 1,
      name: "shared",
      parameters: [],
      tensors: [{ id: 0, name: "x", dtype: "f32", shape: [4], role: "activation" }],
      phases: {
        train: { launches: [launch([0])] },
        loss: { launches: [launch([0])] },
        update: { launches: [] },
        logits: { launches: [] },
      },
      maxLength: null,
      readsAhead: false,
    };
    expect(() => planMemory(program, ["train", "loss"], sizes)).toThrow(/used by phases/);
  });
});
