/** Makes an emitted script's phases: a function of TensorFlow.js and the library it is written on. */
import * as tf from "@tensorflow/tfjs-core";
import * as library from "./index.ts";
import type { Phases } from "./run.ts";

/** The phases of a script that `lctx` wrote; anything else it may do, so it must come from a build of one's own. */
export function loadScript(code: string): Phases {
  const make = new Function("tf", "library", code) as (tfjs: typeof tf, lctx: typeof library) => Phases;
  return make(tf, library);
}
