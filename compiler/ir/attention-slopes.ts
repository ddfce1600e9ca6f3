/** Symbolic slopes of an attention's score, sink and weight: by the logit, and by every element that they load. */
import { derivative, realLoads } from "./derivative.ts";
import { logit, real, type Expr } from "./expr.ts";
import type { AttentionCore, AttentionGradientNode, LoadingPart, Node } from "./graph.ts";

/** Expressions that bear gradients, each once. */
function learningParts(core: AttentionCore): readonly { readonly part: LoadingPart; readonly of: Expr }[] {
  const parts: { part: LoadingPart; of: Expr }[] = [];
  const { weight, sink } = core;
  if (weight === null) parts.push({ part: "score", of: core.score });
  if (sink !== null) parts.push({ part: "sink", of: sink });
  if (weight === null) return parts;
  if (weight.row !== null) parts.push({ part: "row", of: weight.row.score });
  const inner = weight.block?.inner ?? null;
  if (inner !== null) parts.push({ part: "block", of: inner.score });
  weight.cases.forEach(({ factor }, n) => {
    if (factor !== null) parts.push({ part: n, of: factor });
  });
  return parts;
}

/** What an attention's gradient has to know of its expressions, for the buffers that are wanted. */
export function attentionSlopes(
  core: AttentionCore,
  wanted: (buffer: Node) => boolean,
): Pick<AttentionGradientNode, "scoreSlope" | "weightSlopes" | "bufferGradients"> {
  const { weight } = core;
  const bySlope = (e: Expr | null): Expr => (e === null ? real(0) : derivative(e, logit));
  const parts = learningParts(core);
  const bufferGradients = core.buffers.flatMap((buffer, n) => {
    if (buffer.dtype !== "f32" || !wanted(buffer)) return [];
    const loads = parts.flatMap(({ part, of }) =>
      realLoads(of)
        .filter((load) => load.buffer === n)
        .map((load) => ({ indices: load.indices, slope: derivative(of, load), part })),
    );
    return loads.length === 0 ? [] : [{ buffer: n, loads }];
  });
  return {
    scoreSlope: bySlope(core.score),
    weightSlopes:
      weight === null
        ? null
        : {
            row: bySlope(weight.row?.score ?? null),
            block: bySlope(weight.block?.inner?.score ?? null),
            factors: weight.cases.map(({ factor }) => bySlope(factor)),
          },
    bufferGradients,
  };
}
