/** What a pass over graphs is. */
import type { Graph } from "../ir/graph.ts";

/** A meaning-preserving change of a graph; it gives back the very same graph when there is nothing to do. */
export interface GraphPass {
  /** A verb phrase: `merge-common-nodes`. */
  readonly name: string;
  /** One sentence for people. */
  readonly purpose: string;
  readonly run: (graph: Graph) => Graph;
}
