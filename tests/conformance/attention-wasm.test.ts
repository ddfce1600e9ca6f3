/** Random attention specs on the wasm target (parts 4, 5 and 9 of a run; LCTX_SPECS says how many all parts have together). */
import { describeSpecs } from "./support/describe-specs.ts";
import { routedPart, specPart } from "./support/spec-run.ts";

describeSpecs(specPart("nodes", 4), 0.03, "wasm");
describeSpecs(specPart("texts", 5), 0.025, "wasm");
describeSpecs(routedPart(9), 0.01, "wasm");
