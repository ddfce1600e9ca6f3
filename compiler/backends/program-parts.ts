/** ProgramParts: what every backend makes a Program of. */
import type { ParameterInfo } from "../../runtime/program.ts";
import type { UpdateRule } from "../ir/graph.ts";
import type { Schedule } from "../ir/schedule.ts";

export interface ProgramParts {
  readonly name: string;
  readonly schedule: Schedule;
  readonly parameters: readonly ParameterInfo[];
  /** Null for a program that never trains. */
  readonly update: UpdateRule | null;
  /** Positions a row may have at most; null when nothing limits them. */
  readonly maxLength: number | null;
  readonly readsAhead: boolean;
}
