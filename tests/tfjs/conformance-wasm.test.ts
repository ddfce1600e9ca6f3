/** Emitted programs on WebAssembly, or on the backend that `npm run test:tfjs-node` names, against the interpreter. */
import type { BackendName } from "../../runtime/tfjs/backend.ts";
import { describeConformance } from "./support/conformance.ts";

describeConformance((process.env["LCTX_TFJS_BACKEND"] ?? "wasm") as BackendName, 0.5, 0);
