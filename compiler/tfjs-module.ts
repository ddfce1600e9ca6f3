/** The TensorFlow.js module of a program: graphs of its phases and the optimizer's rule, with what passes know of masks. */
import { scriptModule, scriptText, type GraphPhase } from "./backends/tfjs/module.ts";
import type { Graph, UpdateRule } from "./ir/graph.ts";
import type { ScriptModule } from "./ir/script-module.ts";
import { blockFacts } from "./passes/analyses/block-facts.ts";
import { maskBounds, risingBuffers } from "./passes/analyses/mask-bounds.ts";

export function tfjsModule(
  graphs: Readonly<Partial<Record<GraphPhase, Graph>>>,
  update: UpdateRule | null,
): ScriptModule {
  return scriptModule({
    graphs,
    update,
    analyses: { facts: blockFacts, truth: (e, core) => maskBounds(e, risingBuffers(core)) },
  });
}

/** The same as a script that the runtime loads. */
export const tfjsScript = (...parts: Parameters<typeof tfjsModule>): string =>
  scriptText(tfjsModule(...parts));
