/** Random specs as text on the native target (part 3 of a run; LCTX_SPECS says how many all parts have together). */
import { describeSpecs } from "./support/describe-specs.ts";
import { specPart } from "./support/spec-run.ts";

describeSpecs(specPart("texts", 3), 0.12, "native");
