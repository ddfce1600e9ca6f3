/** NodeKernel: what a launch of a node with a kernel of its own needs. */
import type { Size } from "../../../runtime/program.ts";
import type { Kernel } from "../../ir/kernel.ts";

export interface NodeKernel {
  readonly kernel: Kernel;
  readonly sizes: readonly Size[];
  /** Numbers, or names of scalars that are set at each call. */
  readonly scalars: readonly (number | string)[];
  /** Floats of working memory, passed last; null when none is needed. */
  readonly scratch: { readonly elements: Size } | null;
}
