/** The free-index rule: the indices on the right of a definition are exactly those on the left. */
import type { Expr, Identifier } from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Type } from "./types.ts";

/** Whether every free index of a type is allowed; the first that is not is reported where it comes in. */
export function checkFree(
  expr: Expr,
  type: Type,
  allowed: ReadonlySet<string>,
  shown: string,
  reporter: Reporter,
): boolean {
  const extra = [...type.free].filter(([index]) => !allowed.has(index));
  for (const [index, use] of extra) {
    // A use inside another definition is pointed at from here.
    const inside =
      use.span.file === expr.span.file && use.span.start >= expr.span.start && use.span.end <= expr.span.end;
    const reads = use.reads ?? `\`${index}\` is free here`;
    const holes = {
      index,
      table: shown,
      reads,
      fix: mend(
        extra.map(([name]) => name),
        shown,
      ),
    };
    reporter.add(messages.freeIndex(holes, inside ? use.span : expr.span, { sign: "-" }));
    return false;
  }
  return true;
}

function mend(extra: readonly string[], shown: string): string {
  const [name, inside] = shown.split(/[[\]]/);
  const reduced = `\`sum[${extra.join(", ")}] …\``;
  if (["mask", "ahead", "score", "weight", "rotate"].includes(name!)) return `reduce it, ${reduced}`;
  const kept = [...(inside === undefined ? [] : [inside]), ...extra].join(", ");
  return `keep it, \`${name}[${kept}]\`, or reduce it, ${reduced}`;
}

/** An index on the left that the right side does not read. */
export function reportAbsent(
  axis: Identifier,
  name: string,
  axes: readonly string[],
  reporter: Reporter,
): void {
  const table = `${name}[${axes.join(", ")}]`;
  const rest = axes.filter((other) => other !== axis.text);
  const fix = `leave it out, \`${name}${rest.length === 0 ? "" : `[${rest.join(", ")}]`}\``;
  reporter.add(messages.indexAbsent({ table, index: axis.text, fix }, axis.span));
}
