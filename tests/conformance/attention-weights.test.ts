/** Random attention specs with weights, sinks and turned queries on both targets (parts 6 and 7 of a run). */
import { describeSpecs } from "./support/describe-specs.ts";
import { specPart } from "./support/spec-run.ts";

describeSpecs(specPart("weights", 6), 0.06, "native");
describeSpecs(specPart("weights", 7), 0.015, "wasm");
