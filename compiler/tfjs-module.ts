/** The TensorFlow.js module of a program: graphs of its phases and the optimizer's rule, with what passes know of masks. */
import { scriptModule, scriptText, type GraphPhase } from "./backends/tfjs/module.ts";
import type { BlockFacts } from "./ir/block-facts.ts";
import type { Expr } from "./ir/expr.ts";
import type { Graph, PairCore, UpdateRule } from "./ir/graph.ts";
import type { ScriptModule } from "./ir/script-module.ts";
import { blockFacts } from "./passes/analyses/block-facts.ts";
import { maskBounds, risingBuffers } from "./passes/analyses/mask-bounds.ts";

/** Block facts by what they follow from: layers and phases mostly share their masks, and equal expressions are one object. */
function rememberedFacts(): (core: PairCore) => BlockFacts {
  const known = new Map<Expr, { readonly core: PairCore; readonly facts: BlockFacts }[]>();
  const inputs = ({ buffers }: PairCore): string =>
    buffers.map((buffer) => (buffer.kind === "input" ? buffer.name : "")).join();
  return (core) => {
    const list = known.get(core.mask) ?? [];
    known.set(core.mask, list);
    const same = list.find(
      ({ core: other }) =>
        inputs(other) === inputs(core) &&
        other.regions.length === core.regions.length &&
        other.regions.every(({ when }, n) => when === core.regions[n]!.when),
    );
    if (same !== undefined) return same.facts;
    const facts = blockFacts(core);
    list.push({ core, facts });
    return facts;
  };
}

export function tfjsModule(
  graphs: Readonly<Partial<Record<GraphPhase, Graph>>>,
  update: UpdateRule | null,
): ScriptModule {
  return scriptModule({
    graphs,
    update,
    analyses: { facts: rememberedFacts(), truth: (e, core) => maskBounds(e, risingBuffers(core)) },
  });
}

/** The same as a script that the runtime loads. */
export const tfjsScript = (...parts: Parameters<typeof tfjsModule>): string =>
  scriptText(tfjsModule(...parts));
