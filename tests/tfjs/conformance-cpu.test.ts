/** Emitted programs on the backend of plain JavaScript against the interpreter. */
import { describeConformance } from "./support/conformance.ts";

describeConformance("cpu", 0.5, 1);
