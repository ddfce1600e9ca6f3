/** Types of attention expressions: sort, index domain, free indices, dependence, and which parameters can learn through them. */
import type { Expr as AstExpr, Identifier } from "../../../grammar/ast.ts";
import type { Span } from "../../source/span.ts";
import type { Definition } from "../environment.ts";

/** A block's size as far as a definition tells it; with `byDefault`, arguments of a call may make it another. */
export interface BlockSize {
  readonly text: string;
  readonly value: number | null;
  readonly byDefault: boolean;
}

/** What an index ranges over. Two block domains are the same when their sizes are. */
export type Domain =
  | { readonly kind: "position" | "head" | "kv-head" | "dim" | "pair" }
  | { readonly kind: "block"; readonly name: string; readonly size: BlockSize }
  | { readonly kind: "diagonal" | "axis"; readonly name: string };

/** What an expression reads, from least to most. */
export const dependences = ["static", "shape", "position", "document", "learned"] as const;
export type Dependence = (typeof dependences)[number];

export type Sort =
  | "number"
  | "bool"
  | "text"
  | "tuple"
  | "position"
  | "offset"
  | "block"
  | "block-offset"
  | "index"
  | "diagonal"
  | "document"
  | "method"
  | "unknown";

/** How a free index came into an expression. */
export interface FreeIndex {
  readonly domain: Domain;
  readonly span: Span;
  /** `reads t[h, q]` when a table brought it in. */
  readonly reads: string | null;
}

export interface Type {
  readonly sort: Sort;
  /** Of a block, index or diagonal. */
  readonly domain: Domain | null;
  readonly free: ReadonlyMap<string, FreeIndex>;
  /** Index into `dependences`. */
  readonly dependence: number;
  /** The last place that reads something learned without a `select` between; null: none. */
  readonly learned: { readonly span: Span; readonly name: string } | null;
  /** Parameters that receive gradient when this expression does. */
  readonly gradient: ReadonlySet<string>;
}

export type Entity =
  | { readonly kind: "index"; readonly domain: Domain }
  | { readonly kind: "value"; readonly type: Type }
  | {
      readonly kind: "table";
      readonly axes: readonly { readonly name: string; readonly domain: Domain | null }[];
      readonly element: Type;
    }
  | {
      readonly kind: "function";
      readonly parameters: readonly Identifier[];
      readonly body: AstExpr;
      readonly scope: TypeScope;
    }
  /** The map into blocks and, where bound, the index of a block. */
  | { readonly kind: "blocks"; readonly domain: Domain & { readonly kind: "block" } }
  | {
      readonly kind: "set";
      readonly axes: readonly { readonly name: string; readonly domain: Domain }[];
      readonly of: Domain;
    }
  | { readonly kind: "item"; readonly definition: Definition };

export interface TypeScope {
  readonly names: ReadonlyMap<string, Entity>;
  readonly definition: Definition;
  readonly depth: number;
}

const none: ReadonlySet<string> = new Set();
const noFree: ReadonlyMap<string, FreeIndex> = new Map();

export const unknownType: Type = {
  sort: "unknown",
  domain: null,
  free: noFree,
  dependence: 0,
  learned: null,
  gradient: none,
};

/** A type of the given sort that reads nothing. */
export const plainType = (
  sort: Sort,
  dependence: Dependence = "static",
  domain: Domain | null = null,
): Type => ({
  ...unknownType,
  sort,
  domain,
  dependence: dependences.indexOf(dependence),
});

/** The sort with everything that the parts read. */
export function joinTypes(sort: Sort, parts: readonly Type[], domain: Domain | null = null): Type {
  const free = new Map<string, FreeIndex>();
  const gradient = new Set<string>();
  let dependence = 0;
  let learned: Type["learned"] = null;
  for (const part of parts) {
    for (const [name, index] of part.free) if (!free.has(name)) free.set(name, index);
    for (const name of part.gradient) gradient.add(name);
    dependence = Math.max(dependence, part.dependence);
    learned = part.learned ?? learned;
  }
  return { sort, domain, free, dependence, learned, gradient };
}

/** The same without gradient: comparisons, `ordinal` and choices stop it. */
export const stopGradient = (type: Type): Type => ({ ...type, gradient: none });

/** Whether two blocks have one size; sizes that are equal `byDefault` only may differ in a use. */
const sameSize = (a: BlockSize, b: BlockSize, byDefault: boolean): boolean =>
  a.text === b.text ||
  (a.value !== null && a.value === b.value && (byDefault || !(a.byDefault || b.byDefault)));

/**
 * Whether two domains are one. Blocks whose sizes are equal by default count as the same where each use is checked
 * again with its arguments: in sums and comparisons, unlike places of tables.
 */
export function sameDomain(a: Domain, b: Domain, byDefault = true): boolean {
  if (a.kind === "block" && b.kind === "block") return sameSize(a.size, b.size, byDefault);
  if ("name" in a && "name" in b && a.kind === b.kind) return a.kind === "diagonal" || a.name === b.name;
  return a.kind === b.kind;
}

/** The sort of an index over a domain. */
export function sortOf(domain: Domain): Sort {
  switch (domain.kind) {
    case "position":
      return "position";
    case "block":
      return "block";
    case "diagonal":
      return "diagonal";
    case "head":
    case "kv-head":
    case "dim":
    case "pair":
    case "axis":
      return "index";
    default:
      return domain satisfies never;
  }
}

/** A domain in words, with its article. */
export function describeDomain(domain: Domain): string {
  switch (domain.kind) {
    case "position":
      return "a position";
    case "head":
      return "a head";
    case "kv-head":
      return "a key-value head";
    case "dim":
      return "a dimension";
    case "pair":
      return "a frequency pair";
    case "block":
      return `a block of ${domain.size.text}`;
    case "diagonal":
      return "a diagonal";
    case "axis":
      return `an index of \`${domain.name}\``;
    default:
      return domain satisfies never;
  }
}

const sortWords: { readonly [S in Sort]: string } = {
  number: "a number",
  bool: "a condition",
  text: "a text",
  tuple: "a tuple",
  position: "a position",
  offset: "a distance",
  block: "a block",
  "block-offset": "a distance of blocks",
  index: "an index",
  diagonal: "a diagonal",
  document: "a document",
  method: "a method",
  unknown: "unknown",
};

/** A type in words, with its article. */
export const describeType = (type: Type): string =>
  type.domain === null ? sortWords[type.sort] : describeDomain(type.domain);
