/** Lays out an emitted project: model and settings as TypeScript, kernels as C, scripts, package.json, README. */
import type { ProgramSources } from "../../runtime/device/device.ts";
import type { Program } from "../../runtime/program.ts";
import type { TrainSettings } from "../../runtime/train/settings.ts";
import type { ScriptModule } from "../ir/script-module.ts";
import { cudaFiles } from "./cuda-files.ts";
import { modelText } from "./emit-model.ts";
import { printTfjsModel } from "./emit-tfjs.ts";
import { orderTensors } from "./order-tensors.ts";
import { printModel, printModule } from "./print-modules.ts";
import { commentText, literal, type Plain, stringLiteral } from "./typescript.ts";

export interface ProjectInput {
  readonly name: string;
  /** File name of the spec, for comments. */
  readonly source: string;
  readonly settings: TrainSettings;
  /** In the order of `settings.stages`. */
  readonly stages: readonly {
    readonly program: Program;
    readonly kernels: ProgramSources;
    /** The program as a TensorFlow.js module, in place of kernels; null for targets with kernels. */
    readonly module: ScriptModule | null;
  }[];
  /** Spec files to keep beside the code: path in the project and text. */
  readonly specs: Readonly<Record<string, string>>;
  /** Packages that the runtime needs, with versions. */
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** Files by path in the project; the runtime's own sources are added by the caller under `runtime/`. */
export type ProjectFiles = Readonly<Record<string, string>>;

const runtime = "./runtime/index.ts";

/** A package name that npm accepts. */
const packageName = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "") || "model";

/** Where a stage's model and kernels lie: `model.ts` and `kernels/` when there is one stage. */
function stagePaths(input: ProjectInput, n: number): { readonly model: string; readonly kernels: string } {
  if (input.stages.length === 1) return { model: "model", kernels: "kernels" };
  const stage = packageName(input.settings.stages[n]!.name);
  return { model: `model-${n + 1}-${stage}`, kernels: `kernels-${n + 1}-${stage}` };
}

function projectModule(input: ProjectInput): Promise<string> {
  const single = input.stages.length === 1;
  const models = input.stages.map((_, n) => ({
    ...stagePaths(input, n),
    variable: single ? "model" : `model${n + 1}`,
  }));
  const onTfjs = input.stages.some(({ module }) => module !== null);
  const stages = models.map(({ variable, kernels }) =>
    onTfjs
      ? variable
      : `{ program: ${variable}, kernels: readKernels(join(import.meta.dirname, ${stringLiteral(kernels)})) }`,
  );
  const statements = single
    ? []
    : models.map(
        ({ model, variable }) => `import { model as ${variable} } from ${stringLiteral(`./${model}.ts`)};`,
      );
  return printModule({
    path: "project.ts",
    header: `What there is to run: the recipe, and for each stage its program${onTfjs ? "" : " and kernels"}.`,
    imports: [
      ...(onTfjs
        ? []
        : [
            { from: "node:path", names: ["join"] },
            { from: runtime, names: ["readKernels"] },
          ]),
      { from: runtime, names: ["Project"], typeOnly: true },
      ...(single ? [{ from: "./model.ts", names: ["model"] }] : []),
      { from: "./settings.ts", names: ["settings"] },
    ],
    statements: [
      ...statements,
      `export const project: Project = { settings, dataFolder: import.meta.dirname, stages: [${stages.join(", ")}] };`,
    ],
  });
}

/** A stage's kernels as files in a folder of their own. */
function kernelFiles(kernels: ProgramSources): Readonly<Record<string, string>> {
  if ("calls" in kernels) return cudaFiles(kernels);
  return { ...kernels.files, "entries.json": `${JSON.stringify(kernels.entries, null, 2)}\n` };
}

/** Text of every file that is made from the spec. */
export async function emitProject(input: ProjectInput): Promise<ProjectFiles> {
  const files: Record<string, string> = {};
  for (const [n, stage] of input.stages.entries()) {
    const paths = stagePaths(input, n);
    if (stage.module !== null) {
      const library = "./runtime/tfjs/index.ts";
      files[`${paths.model}.ts`] = await printTfjsModel(stage.program, stage.module, input.source, library);
      continue;
    }
    files[`${paths.model}.ts`] = await printModel(
      modelText(orderTensors(stage.program), input.source),
      "./runtime/program-writer.ts",
    );
    for (const [name, text] of Object.entries(kernelFiles(stage.kernels)))
      files[`${paths.kernels}/${name}`] = text;
  }
  files["settings.ts"] = await printModule({
    path: "settings.ts",
    header: "The recipe: data, loss, schedule, batch. Change numbers here and run trainer.ts again.",
    imports: [{ from: runtime, names: ["TrainSettings"], typeOnly: true }],
    statements: [`export const settings: TrainSettings = ${literal(input.settings as unknown as Plain)};`],
  });
  files["project.ts"] = await projectModule(input);
  const script = (path: string, header: string, name: string): Promise<string> =>
    printModule({
      path,
      header,
      imports: [
        { from: runtime, names: [name] },
        { from: "./project.ts", names: ["project"] },
      ],
      statements: [`process.exitCode = await ${name}(project, process.argv.slice(2));`],
    });
  files["trainer.ts"] = await script(
    "trainer.ts",
    "Trains the model: npx tsx trainer.ts [--run <folder>] [--resume] [--steps <n>] [--threads <n>].",
    "runTrainer",
  );
  files["evaluate.ts"] = await script(
    "evaluate.ts",
    "Loss, bits per byte and perplexity of a run, and its tasks: npx tsx evaluate.ts --run <folder> [--task <name>].",
    "runEvaluation",
  );
  files["generate.ts"] = await script(
    "generate.ts",
    "Writes text with a trained run: npx tsx generate.ts --run <folder> --prompt <text>.",
    "runGeneration",
  );
  for (const [path, text] of Object.entries(input.specs)) files[`spec/${path}`] = text;
  files["package.json"] = `${JSON.stringify(
    {
      name: packageName(input.name),
      version: "0.1.0",
      private: true,
      type: "module",
      engines: { node: ">=20.19" },
      scripts: {
        train: "tsx trainer.ts",
        evaluate: "tsx evaluate.ts",
        generate: "tsx generate.ts",
        types: "tsc",
      },
      dependencies: input.dependencies,
      optionalDependencies: input.optionalDependencies,
      devDependencies: input.devDependencies,
    },
    null,
    2,
  )}\n`;
  files["tsconfig.json"] = `${JSON.stringify(
    {
      compilerOptions: {
        target: "es2023",
        lib: ["es2023"],
        module: "nodenext",
        moduleResolution: "nodenext",
        strict: true,
        noUncheckedIndexedAccess: true,
        exactOptionalPropertyTypes: true,
        verbatimModuleSyntax: true,
        allowImportingTsExtensions: true,
        resolveJsonModule: true,
        skipLibCheck: true,
        noEmit: true,
        types: ["node"],
      },
      include: ["**/*.ts"],
      exclude: ["node_modules"],
    },
    null,
    2,
  )}\n`;
  files["README.md"] = readme(input);
  return files;
}

function readme(input: ProjectInput): string {
  const onTfjs = input.stages.some(({ module }) => module !== null);
  const parts = onTfjs
    ? "| \`model.ts\` | parameters, and a function of TensorFlow.js operations for every phase |"
    : `| \`model.ts\` | parameters, tensors, and the launches of every phase |
| \`kernels/\` | ${
        input.stages.some(({ kernels }) => "calls" in kernels)
          ? "the kernels, CUDA C++; compiled when first run on a GPU"
          : "the kernels, C with vector extensions; compiled when first run"
      } |`;
  return `# ${commentText(input.name)}

Written by lctx from \`${commentText(input.source).replaceAll("`", "'")}\` (kept under \`spec/\`). It does not need lctx to run:

\`\`\`
npm install
npx tsx trainer.ts
npx tsx evaluate.ts --run runs/${packageName(input.name)}
npx tsx generate.ts --run runs/${packageName(input.name)} --prompt "Once "
\`\`\`

| file | holds |
|---|---|
| \`settings.ts\` | the recipe |
${parts}
| \`runtime/\` | devices, data, checkpoints, metrics and the training loop |
${onTfjs ? tfjsBackends : ""}`;
}

const tfjsBackends = `
The first of these that is installed runs the program: \`@tensorflow/tfjs-node-gpu\`, \`@tensorflow/tfjs-node\`,
\`@tensorflow/tfjs-backend-wasm\`, \`@tensorflow/tfjs-backend-cpu\`. The first two download TensorFlow's own library when they
are installed; \`npm install\` goes on without them where that fails. \`--target tfjs:wasm\` (\`node-gpu\`, \`node\`, \`cpu\`) names one.
`;
