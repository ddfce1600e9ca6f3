/** Makes an emitted script's phases: a function of TensorFlow.js and the library it is written on. */
import { compileFunction } from "node:vm";
import * as tf from "@tensorflow/tfjs-core";
import * as library from "./index.ts";
import type { Phases } from "./run.ts";

/** The phases of a script that `lctx` wrote. It may do whatever a script may, so it must come from a build of one's own. */
export function loadScript(code: string, name = "model.js"): Phases {
  const make = compileFunction(code, ["tf", "library"], { filename: name });
  return make(tf, library) as Phases;
}
