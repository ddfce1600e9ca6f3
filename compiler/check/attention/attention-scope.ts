/** The scope of an attention's clauses: positions, sizes, canonical tables, its parameters, blocks, diagonals and axes. */
import type { AttentionItem } from "../../../grammar/ast.ts";
import type { Definition } from "../environment.ts";
import { blockSize } from "./block-size.ts";
import { canonicalTables, domainOfAxis, parameterEntities, sizeEntities } from "./item-scope.ts";
import type { PlainClause } from "./phases.ts";
import { plainType, type Domain, type Entity, type TypeScope } from "./types.ts";

/** Indices of every pair of a query and a key; `layer` is the same within one attention. */
const pairIndices: readonly (readonly [string, Entity])[] = [
  ["q", { kind: "index", domain: { kind: "position" } }],
  ["k", { kind: "index", domain: { kind: "position" } }],
  ["h", { kind: "index", domain: { kind: "head" } }],
];

const otherIndices: readonly (readonly [string, Entity])[] = [
  ["d", { kind: "index", domain: { kind: "dim" } }],
  ["g", { kind: "index", domain: { kind: "kv-head" } }],
];

/** Names that an attention has without defining them; none may be defined again. */
export const attentionNames: ReadonlySet<string> = new Set([
  "q",
  "k",
  "h",
  "d",
  "g",
  "s",
  "Q",
  "K",
  "V",
  ...sizeEntities.map(([name]) => name),
]);

/** Scope of a mask or score item: positions, and for a score the logit. */
export function pairScope(definition: Definition): TypeScope {
  const { item } = definition;
  const names = new Map<string, Entity>(item.kind === "function" ? [] : [...pairIndices, ...sizeEntities]);
  if (item.kind === "score") for (const [name, entity] of canonicalTables(["s"])) names.set(name, entity);
  if ("parameters" in item)
    for (const [name, entity] of parameterEntities(item.parameters)) names.set(name, entity);
  return { names, definition, depth: 0 };
}

/** A scope that is still being filled. */
export interface OpenScope extends TypeScope {
  readonly names: Map<string, Entity>;
}

/** The scope of an attention before its lets and selections. */
export function attentionScope(
  definition: Definition,
  item: AttentionItem,
  clauses: readonly PlainClause[],
): OpenScope {
  const names = new Map<string, Entity>([
    ...pairIndices,
    ...otherIndices,
    ...sizeEntities,
    ...canonicalTables(["Q", "K", "V", "s"]),
    ...parameterEntities(item.parameters),
  ]);
  for (const clause of clauses) {
    if (clause.kind === "blocks") {
      const domain = {
        kind: "block",
        name: clause.name.text,
        size: blockSize(clause.size, definition),
      } as const;
      names.set(clause.name.text, { kind: "blocks", domain });
    } else if (clause.kind === "diagonals")
      names.set(clause.name.text, { kind: "index", domain: { kind: "diagonal", name: clause.name.text } });
  }
  for (const clause of clauses) {
    if (clause.kind !== "param") continue;
    for (const table of clause.tables) {
      for (const axis of table.axes) enterAxis(axis.name.text, names);
      const axes = table.axes.map((axis) => ({
        name: axis.name.text,
        domain: axisDomain(axis.name.text, names),
      }));
      const element = { ...plainType("number", "learned"), gradient: new Set([table.name.text]) };
      names.set(table.name.text, { kind: "table", axes, element });
    }
  }
  for (const clause of clauses)
    if (clause.kind === "let" && clause.form.kind === "table")
      for (const axis of clause.form.axes) if (axis.size !== null) enterAxis(axis.name.text, names);
  return { names, definition, depth: 0 };
}

/** A named axis is an index wherever it is bound. */
function enterAxis(name: string, names: Map<string, Entity>): void {
  if (!names.has(name)) names.set(name, { kind: "index", domain: domainOfAxis(name) });
}

/** The domain that an axis name has in a scope. */
export function axisDomain(name: string, names: ReadonlyMap<string, Entity>): Domain {
  const entity = names.get(name);
  return entity?.kind === "index" || entity?.kind === "blocks" ? entity.domain : domainOfAxis(name);
}
