/** Random specs that choose, weigh and teach, as text on the native target (part 8 of a run; LCTX_SPECS says how many all parts have together). */
import { describeSpecs } from "./support/describe-specs.ts";
import { routedPart } from "./support/spec-run.ts";

describeSpecs(routedPart(8), 0.1, "native");
