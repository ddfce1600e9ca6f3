/** Random attention specs on the wasm target (parts 4 and 5 of a run; LCTX_SPECS says how many all parts have together). */
import { describeSpecs } from "./support/describe-specs.ts";
import { specPart } from "./support/spec-run.ts";

describeSpecs(specPart("nodes", 4), 0.06, "wasm");
describeSpecs(specPart("texts", 5), 0.03, "wasm");
