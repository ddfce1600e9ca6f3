/** Names in scope inside masks, scores and functions: their parameters, and the positions and sizes of whoever uses them. */
import type { Parameter } from "../../../grammar/ast.ts";
import type { Definition } from "../environment.ts";
import { plainType, type Domain, type Entity, type Sort, type TypeScope } from "./types.ts";

const domains: Readonly<Record<string, Domain>> = {
  h: { kind: "head" },
  g: { kind: "kv-head" },
  d: { kind: "dim" },
  q: { kind: "position" },
  k: { kind: "position" },
};

/** The domain an axis name has by itself. */
export const domainOfAxis = (name: string): Domain => domains[name] ?? { kind: "axis", name };

const sorts: Readonly<Record<string, Sort>> = {
  Count: "number",
  Real: "number",
  Bool: "bool",
  Text: "text",
  Pair: "tuple",
  Attention: "method",
  Rotation: "method",
  Module: "method",
};

/** The sort of values a parameter takes; `unknown` for a type that does not exist, which is reported elsewhere. */
export const parameterSort = (parameter: Parameter): Sort =>
  parameter.type === null
    ? parameter.axes.length > 0
      ? "number"
      : "unknown"
    : (sorts[parameter.type.text] ?? "unknown");

/** Whether a type name exists. */
export const isTypeName = (name: string): boolean => Object.hasOwn(sorts, name);

/** Parameters as their own item sees them, before any argument is known. */
export function parameterEntities(parameters: readonly Parameter[]): readonly (readonly [string, Entity])[] {
  return parameters.map((parameter) => {
    const type = plainType(parameterSort(parameter));
    if (parameter.axes.length === 0 && parameter.typeAxes.length === 0)
      return [parameter.name.text, { kind: "value", type }];
    // In its layer an attention sees the table of that layer.
    const inside = parameter.typeAxes.filter((axis) => axis.name.text !== "layer");
    const axes = (parameter.axes.length > 0 ? parameter.axes : inside).map((axis) => ({
      name: axis.name.text,
      domain: domainOfAxis(axis.name.text),
    }));
    if (axes.length === 0) return [parameter.name.text, { kind: "value", type }];
    return [parameter.name.text, { kind: "table", axes, element: type }];
  });
}

/** Sizes every attention knows. */
export const sizeEntities: readonly (readonly [string, Entity])[] = [
  ["length", { kind: "value", type: plainType("number", "shape") }],
  ["heads", { kind: "value", type: plainType("number", "shape") }],
  ["kv_heads", { kind: "value", type: plainType("number", "shape") }],
  ["dims", { kind: "value", type: plainType("number", "shape") }],
];

/** Names a mask or score takes from whoever uses it. */
const inherited = ["q", "k", "h", "length", "heads", "kv_heads", "dims"] as const;

export function itemScope(
  definition: Definition,
  parameters: ReadonlyMap<string, Entity>,
  caller: TypeScope,
): TypeScope {
  const { kind } = definition.item;
  const names = new Map<string, Entity>();
  if (kind === "mask" || kind === "score") {
    for (const name of inherited) {
      const entity = caller.names.get(name);
      if (entity !== undefined) names.set(name, entity);
    }
    const logit = caller.names.get("s");
    if (kind === "score" && logit !== undefined) names.set("s", logit);
  }
  for (const [name, entity] of parameters) names.set(name, entity);
  return { names, definition, depth: caller.depth + 1 };
}

/** Axes of the names that mean `Q[h, q, d]` and so on. */
const canonicalAxes: Readonly<Record<string, readonly { name: string; domain: Domain }[]>> = {
  Q: [
    { name: "h", domain: { kind: "head" } },
    { name: "q", domain: { kind: "position" } },
    { name: "d", domain: { kind: "dim" } },
  ],
  K: [
    { name: "h", domain: { kind: "head" } },
    { name: "k", domain: { kind: "position" } },
    { name: "d", domain: { kind: "dim" } },
  ],
  V: [
    { name: "h", domain: { kind: "head" } },
    { name: "k", domain: { kind: "position" } },
    { name: "d", domain: { kind: "dim" } },
  ],
  s: [
    { name: "h", domain: { kind: "head" } },
    { name: "q", domain: { kind: "position" } },
    { name: "k", domain: { kind: "position" } },
  ],
};

/** `Q`, `K`, `V` and the logit as tables: learned, over their canonical axes. */
export function canonicalTables(
  names: readonly ("Q" | "K" | "V" | "s")[],
): readonly (readonly [string, Entity])[] {
  return names.map((name) => [
    name,
    { kind: "table", axes: canonicalAxes[name]!, element: plainType("number", "learned") },
  ]);
}
