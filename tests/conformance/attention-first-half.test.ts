/** Random attention specs on the native target (part 1 of a run; LCTX_SPECS says how many all parts have together). */
import { describeSpecs } from "./support/describe-specs.ts";
import { specPart } from "./support/spec-run.ts";

describeSpecs(specPart("nodes", 1), 0.325, "native");
