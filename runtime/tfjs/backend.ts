/** Opens a backend of TensorFlow.js: the fastest that is installed, or the one that is asked for. */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { LctxError } from "../errors.ts";

/** In the order in which they are tried. */
export const backendNames = ["node-gpu", "node", "wasm", "cpu"] as const;
export type BackendName = (typeof backendNames)[number];

export interface OpenBackend {
  readonly name: BackendName;
  /** One line for people: what runs, and why not something faster. */
  readonly description: string;
}

/** What a backend is, how it is loaded, and how one gets it. */
interface Backend {
  readonly package: string;
  readonly what: string;
  readonly how: string;
  readonly load: () => Promise<void>;
}

const native = (name: string) => async (): Promise<void> => {
  // The name is a variable, so that a project type-checks and bundles without the package.
  await import(name);
  await use("tensorflow");
};

async function use(name: string): Promise<void> {
  if (!(await tf.setBackend(name))) throw new Error(`the backend ${name} does not start`);
  await tf.ready();
}

const backends: Readonly<Record<BackendName, Backend>> = {
  "node-gpu": {
    package: "@tensorflow/tfjs-node-gpu",
    what: "TensorFlow's own library on an NVIDIA GPU",
    how: "npm install @tensorflow/tfjs-node-gpu, on Linux with CUDA 11.8 and cuDNN 8; its installer downloads the library",
    load: native("@tensorflow/tfjs-node-gpu"),
  },
  node: {
    package: "@tensorflow/tfjs-node",
    what: "TensorFlow's own library on the processor",
    how: "npm install @tensorflow/tfjs-node; its installer downloads the library",
    load: native("@tensorflow/tfjs-node"),
  },
  wasm: {
    package: "@tensorflow/tfjs-backend-wasm",
    what: "WebAssembly with vector instructions",
    how: "npm install @tensorflow/tfjs-backend-wasm",
    load: async () => {
      const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
      const require = createRequire(import.meta.url);
      setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
      await use("wasm");
    },
  },
  cpu: {
    package: "@tensorflow/tfjs-backend-cpu",
    what: "plain JavaScript",
    how: "npm install @tensorflow/tfjs-backend-cpu",
    load: async () => {
      await import("@tensorflow/tfjs-backend-cpu");
      await use("cpu");
    },
  },
};

const firstLine = (error: unknown): string => (error as Error).message.split("\n")[0]!.trim();

/** Why a package cannot be used, in a few words. */
const reason = (error: unknown): string =>
  (error as { code?: string }).code === "ERR_MODULE_NOT_FOUND" ? "not installed" : firstLine(error);

export interface BackendFinding {
  readonly name: BackendName;
  readonly package: string;
  readonly what: string;
  readonly how: string;
  /** Null when it works. */
  readonly problem: string | null;
}

/** Tries every backend: the only proof that one works. The last that works stays in use. */
export async function findBackends(): Promise<readonly BackendFinding[]> {
  const found: BackendFinding[] = [];
  for (const name of backendNames) {
    const { load, ...told } = backends[name];
    const problem = await quietly(load).then(
      () => null,
      (error: unknown) => reason(error),
    );
    found.push({ name, package: told.package, what: told.what, how: told.how, problem });
  }
  return found;
}

/** Without the advice that the core prints about installing another package. */
async function quietly(work: () => Promise<void>): Promise<void> {
  const { warn } = console;
  console.warn = () => undefined;
  try {
    await work();
  } finally {
    console.warn = warn;
  }
}

/** Throws LctxError `no-device` when the backend asked for, or every one, cannot be used. */
export async function openBackend(asked: BackendName | null): Promise<OpenBackend> {
  const missing: string[] = [];
  for (const name of asked === null ? backendNames : [asked]) {
    try {
      await quietly(backends[name].load);
    } catch (error) {
      missing.push(`${backends[name].package}: ${reason(error)}`);
      continue;
    }
    tf.env().set("PROD", true);
    const why = asked !== null ? "as asked" : missing.length === 0 ? "the first choice" : missing.join("; ");
    return {
      name,
      description: `${backends[name].what} (${backends[name].package} ${tf.version_core}; ${why})`,
    };
  }
  throw new LctxError(
    "no-device",
    `no backend of TensorFlow.js can be used: ${missing.join("; ")}`,
    asked === null ? backends.wasm.how : backends[asked].how,
  );
}
