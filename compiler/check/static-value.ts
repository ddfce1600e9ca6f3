/** Values known when a spec is checked: settings, arguments of methods, and what they are made of. */
import type { Span } from "../source/span.ts";
import type { Definition } from "./environment.ts";

export type StaticValue =
  NumberValue | BoolValue | TextValue | TupleValue | TableValue | MethodValue | UnknownValue;

/** `whole` when every step that made it was whole-number arithmetic. */
export interface NumberValue {
  readonly kind: "number";
  readonly value: number;
  readonly whole: boolean;
}

export interface BoolValue {
  readonly kind: "bool";
  readonly value: boolean;
}

export interface TextValue {
  readonly kind: "text";
  readonly value: string;
}

/** `(0.9, 0.95)`: read as `betas.0`, `betas.1`. */
export interface TupleValue {
  readonly kind: "tuple";
  readonly items: readonly StaticValue[];
}

/** Numbers over named axes, row-major (`vertical: Count[layer, h] = table "best.json"`). */
export interface TableValue {
  readonly kind: "table";
  readonly axes: readonly { readonly name: string; readonly size: number }[];
  readonly values: readonly number[];
}

/** An attention, rotation, module, adapter or optimizer with its parameters given, defaults filled in. */
export interface MethodValue {
  readonly kind: "method";
  readonly definition: Definition;
  readonly arguments: ReadonlyMap<string, StaticValue>;
  /** Where it was called. */
  readonly span: Span;
}

/** Stands where a mistake was already reported; everything made from it is unknown too, silently. */
export interface UnknownValue {
  readonly kind: "unknown";
}
