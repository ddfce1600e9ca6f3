/** The clauses of an attention with what each reads, as `lctx explain clauses` prints them. */
import { checkAttention } from "../check/attention/check-items.ts";
import { dependenceOf, type ClauseType } from "../check/attention/check-clauses.ts";
import { allPhases, type PlainClause } from "../check/attention/phases.ts";
import { describeDomain, describeType, type Type } from "../check/attention/types.ts";
import type { CheckedProject } from "../check/check.ts";
import { Reporter } from "../diagnostics/reporter.ts";

const words: { readonly [K in PlainClause["kind"]]: string } = {
  blocks: "blocks",
  diagonals: "diagonals",
  param: "param",
  let: "let",
  "mask-clause": "mask",
  ahead: "ahead",
  "score-clause": "score",
  "weight-clause": "weight",
  rotate: "rotate",
  select: "select",
  teach: "teach",
};

function headOf(clause: PlainClause): string {
  const word = words[clause.kind];
  switch (clause.kind) {
    case "blocks":
    case "diagonals":
    case "teach":
      return `${word} ${clause.name.text}`;
    case "select":
      return `${word} ${clause.name.text}[${clause.axes.map((axis) => axis.text).join(", ")}]`;
    case "param":
      return `${word} ${clause.tables.map((table) => table.name.text).join(", ")}`;
    case "let": {
      const { form } = clause;
      const inside =
        form.kind === "table"
          ? `[${form.axes.map((axis) => axis.name.text).join(", ")}]`
          : form.kind === "function"
            ? `(${form.parameters.map((parameter) => parameter.text).join(", ")})`
            : "";
      return `${word} ${clause.name.text}${inside}`;
    }
    default:
      return word;
  }
}

/** `number over q: a position, d: a dimension`. */
function typeText(clause: PlainClause, type: Type): string {
  if (clause.kind === "select") return "a set";
  if (clause.kind === "param") return "learned tables";
  const over = [...type.free].map(
    ([name, { domain }]) => `${name} ${describeDomain(domain).replace(/^an? /, "")}`,
  );
  return `${describeType(type)}${over.length === 0 ? "" : ` over ${over.join(", ")}`}`;
}

function rows(types: readonly ClauseType[]): readonly string[] {
  const cells = types.map(({ clause, type }) => {
    const dependence = clause.kind === "param" || clause.kind === "select" ? "learned" : dependenceOf(type);
    return [headOf(clause), dependence, typeText(clause, type)] as const;
  });
  const width = Math.max(...cells.map(([head]) => head.length), 0);
  return cells.map(([head, dependence, text]) => `  ${head.padEnd(width)}  ${dependence.padEnd(8)}  ${text}`);
}

/** One block of lines an attention and phase, from `static < shape < position < document < learned`. */
export function clauseTables(project: CheckedProject): readonly string[] {
  const { environment } = project;
  const all = [...environment.names.values()].filter(({ item }) => item.kind === "attention");
  const own = all.filter(({ environment: where }) => where === environment);
  return (own.length > 0 ? own : all).flatMap((definition) => {
    const { item } = definition;
    if (item.kind !== "attention") return [];
    const phases = checkAttention(definition, item, new Reporter());
    const groups = new Map<string, string[]>();
    for (const phase of allPhases) {
      const text = rows(phases.get(phase)!.clauses).join("\n");
      groups.set(text, [...(groups.get(text) ?? []), phase]);
    }
    return [...groups].map(([text, named]) => {
      const phase = named.length === allPhases.length ? "" : `, ${named.join(" and ")}`;
      return `${definition.name}${phase}\n${text}`;
    });
  });
}
