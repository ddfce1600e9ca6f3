/** Model: a checked model with every setting known: its sites, its parameters and its body. */
import type { AttentionInstance, AttentionShape, RotationMeaning } from "../../ir/attention-meaning.ts";
import type { Init } from "../../ir/graph.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Span } from "../../source/span.ts";
import type { MethodValue, StaticValue } from "../static-value.ts";
import type { Term, TermAxis } from "./term.ts";

/** What an adapter may fit. A module that states no kind is `residual`. */
export type SiteKind = "linear" | "embed" | "attention" | "residual";

/** A weight tensor of the model. */
export interface ModelParameter {
  /** `layers.0.attn.q.weight`. */
  readonly path: string;
  readonly axes: readonly TermAxis[];
  readonly init: Init;
  readonly trainable: boolean;
  readonly span: Span;
}

/** A place in the model that adapters and `train` can name. */
export interface Site {
  /** `layers.0.attn.q`. */
  readonly path: string;
  /** Which segments of the path begin the name of a child: `norm.attn` is one name. */
  readonly starts: readonly number[];
  readonly kind: SiteKind;
  /** The module it is an instance of. */
  readonly module: string;
  /** Adapters attached here, in order. */
  readonly adapters: readonly string[];
  /** Of the site itself, without its children and adapters. */
  readonly parameters: readonly ModelParameter[];
  readonly children: readonly Site[];
  readonly span: Span;
}

export interface Model {
  readonly name: string;
  /** Id of the published checkpoint whose weights it starts from, or null. */
  readonly pretrained: string | null;
  /** The module with all its settings. */
  readonly settings: MethodValue;
  readonly site: Site;
  /** All weights in the order of the tree: a site's own, its children's, its adapters'. */
  readonly parameters: readonly ModelParameter[];
  /** Scores over the vocabulary [v], for every token. */
  readonly output: Term;
  /** Tokens of a row the model is made for (`length`); what `length` means in static expressions. */
  readonly length: number;
  readonly vocabulary: number;
  /** Most tokens a row can have, where a table of positions limits it; null: any. */
  readonly maxLength: number | null;
  readonly span: Span;
}

/** How attentions and rotations get their meaning. */
export interface Methods {
  instantiateAttention(
    value: MethodValue,
    shape: AttentionShape,
    reporter: Reporter,
  ): AttentionInstance | null;
  instantiateRotation(value: MethodValue, dims: number, reporter: Reporter): RotationMeaning | null;
}

/** All sites below and including a site, parents first. */
export function allSites(site: Site): readonly Site[] {
  return [site, ...site.children.flatMap(allSites)];
}

/** Numbers in a model: all, and those that train. */
export function countParameters(model: Model): { readonly all: number; readonly trainable: number } {
  let all = 0;
  let trainable = 0;
  for (const parameter of model.parameters) {
    const count = parameter.axes.reduce((total, axis) => total * axis.size, 1);
    all += count;
    if (parameter.trainable) trainable += count;
  }
  return { all, trainable };
}

/** A setting of the model as a number, or null. */
export function numberSetting(values: ReadonlyMap<string, StaticValue>, name: string): number | null {
  const value = values.get(name);
  return value?.kind === "number" ? value.value : null;
}
