/** Random attention specs on the native target (part 1 of a run; LCTX_SPECS says how many all parts have together). */
import { describeSpecs } from "./support/check-specs.ts";

describeSpecs(1, 0.46, "native");
