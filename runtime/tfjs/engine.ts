/** The engine of the tfjs target: emitted modules on a backend of TensorFlow.js. */
import { LctxError } from "../errors.ts";
import type { Engine, Place } from "../project/engine.ts";
import { backendNames, openBackend, type BackendName } from "./backend.ts";
import { loadScript } from "./load.ts";
import { TensorFlowModel } from "./model.ts";
import type { Phases } from "./run.ts";

const isBackend = (name: string): name is BackendName => (backendNames as readonly string[]).includes(name);

export async function openTfjsEngine(_place: Place, backend: string | null): Promise<Engine> {
  if (backend !== null && !isBackend(backend))
    throw new LctxError(
      "settings-invalid",
      `the target tfjs has no backend "${backend}"`,
      `backends are ${backendNames.join(", ")}`,
    );
  const { name, description } = await openBackend(backend);
  return {
    description: `tfjs ${name}: ${description}`,
    open: ({ program, tfjs, phases }, sizes) => {
      if (phases === undefined && tfjs == null)
        throw new LctxError(
          "program-unreadable",
          `${program.name} was built without a TensorFlow.js program`,
          "train it again, or name its spec with --spec",
        );
      const own = (phases as Phases | undefined) ?? loadScript(tfjs!, `${program.name}.js`);
      return Promise.resolve(new TensorFlowModel(program, own, sizes));
    },
    close: () => undefined,
  };
}
