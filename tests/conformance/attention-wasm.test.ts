/** Random attention specs on the wasm target (part 3 of a run; LCTX_SPECS says how many all parts have together). */
import { describeSpecs } from "./support/check-specs.ts";

describeSpecs(3, 0.08, "wasm");
