/** What of a program TensorFlow.js cannot hold, at the lines that say so. */
import { messages } from "./diagnostics/messages.gen.ts";
import type { Reporter } from "./diagnostics/reporter.ts";
import type { Graph } from "./ir/graph.ts";

/** The most axes that a tensor of TensorFlow.js has a type for. */
const mostAxes = 6;

/** Reports each parameter with too many axes; where none has, each other site. */
export function refuseTfjs(graphs: readonly Graph[], reporter: Reporter): void {
  const wide = graphs.flatMap(({ nodes }) => nodes).filter(({ axes }) => axes.length > mostAxes);
  const parameters = wide.filter(({ kind }) => kind === "parameter");
  const told = new Set<string>();
  for (const { axes, site, origin } of parameters.length > 0 ? parameters : wide) {
    const [span] = origin;
    if (span === undefined || told.has(site)) continue;
    told.add(site);
    reporter.add(messages.tfjsRank({ what: site, axes: String(axes.length) }, span));
  }
}
