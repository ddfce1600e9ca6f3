/** First values of parameters: a function of the seed and the parameter's path, not of the order they are made in. */
import type { ParameterInfo } from "../program.ts";
import { keyOf, RandomStream } from "./stream.ts";

/** Fills `values` as `init` says. */
export function initialise(
  values: Float32Array,
  info: Pick<ParameterInfo, "path" | "init">,
  seed: number,
): void {
  const { init } = info;
  switch (init.kind) {
    case "constant":
      values.fill(init.value);
      return;
    case "normal": {
      new RandomStream(keyOf(seed, `parameter:${info.path}`)).fillNormals(values, init.deviation);
      return;
    }
    case "uniform": {
      const stream = new RandomStream(keyOf(seed, `parameter:${info.path}`));
      for (let i = 0; i < values.length; i++) values[i] = (2 * stream.uniform() - 1) * init.limit;
      return;
    }
  }
  init satisfies never;
}
