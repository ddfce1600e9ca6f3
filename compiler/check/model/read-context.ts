/** What reading the bodies of a model shares. */
import type { AdapterClause, AdapterItem } from "../../../grammar/ast.ts";
import type { Span } from "../../source/span.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { AttentionInstance, RotationMeaning } from "../../ir/attention-meaning.ts";
import type { BodyScope } from "./body-scope.ts";
import type { Attachment } from "./instance.ts";
import type { Methods } from "./model.ts";

/** What reading bodies shares across a model. */
export interface ReadContext {
  readonly reporter: Reporter;
  readonly methods: Methods;
  readonly length: number;
  /** Learned vectors before the text, in all. */
  readonly plus: number;
  /** Where the adapter is attached that brings them. */
  readonly plusSpan: Span | null;
  streams: number;
  /** Attentions and rotations already given a meaning. */
  readonly attentions: Map<string, AttentionInstance | null>;
  readonly rotations: Map<string, RotationMeaning | null>;
  /** Most tokens of a row, limited by tables of positions. */
  maxLength: number | null;
}

/** The scope of an adapter's body at its site. */
export type AdapterScope = (attachment: Attachment) => BodyScope;

/** Clauses of an attached adapter. */
export const clausesOf = (attachment: Attachment): readonly AdapterClause[] =>
  (attachment.method.definition.item as AdapterItem).clauses;
