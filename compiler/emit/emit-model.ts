/** Writes model.ts: the program of a spec as readable TypeScript that builds it anew. */
import type { Phase, PhaseName, Program, Size, Tensor } from "../../runtime/program.ts";
import { noTensor } from "../../runtime/program.ts";
import { commentText, initText, literal, Names, numberLiteral, stringLiteral } from "./typescript.ts";
import { phaseOrder } from "./order-tensors.ts";

/** What each phase does, for the comment above it. */
const purposes: Readonly<Record<PhaseName, string>> = {
  logits: "Next-token logits of a batch.",
  loss: "Loss of every token, nothing else: evaluation.",
  train: "Loss and the gradient of every parameter that trains.",
  update: "Gradients to new parameters and optimizer states.",
};

/** The statements of model.ts, in groups: imports, parameters, tensors, one function per phase. */
export interface ModelText {
  readonly imports: readonly string[];
  readonly header: string;
  readonly declarations: readonly string[];
  readonly functions: readonly {
    readonly name: string;
    readonly purpose: string;
    readonly statements: readonly string[];
  }[];
  readonly closing: readonly string[];
}

const initNames = { constant: "constant", normal: "normal", uniform: "uniform" } as const;

const sizeText = (size: Size): string => literal(size as Parameters<typeof literal>[0]);

function tensorText(variable: string, tensor: Tensor): string {
  const shape = `[${tensor.shape.map(sizeText).join(", ")}]`;
  const dtype = tensor.dtype === "f32" ? "" : `, "${tensor.dtype}"`;
  return `const ${variable} = program.tensor(${stringLiteral(tensor.name)}, "${tensor.role}", ${shape}${dtype});`;
}

const sectionNames: Partial<Record<Tensor["role"], string>> = {
  input: "What the trainer writes before a phase.",
  output: "What it reads after one.",
  state: "Optimizer states.",
  gradient: "Gradients.",
};

/** Site of a label such as `layers.0.attn.q: matmul`. */
const siteOf = (label: string): string => label.split(":")[0]!.trim();

/** The program's tensors must be in reading order (`orderTensors`). */
export function modelText(program: Program, source: string): ModelText {
  const names = new Names([
    "program",
    "run",
    "constant",
    "normal",
    "uniform",
    "none",
    "ProgramWriter",
    ...phaseOrder,
  ]);
  const variables = program.tensors.map((tensor) => names.of(tensor.name));
  const parameters = new Map(program.parameters.map((parameter) => [parameter.path, parameter]));
  const declarations: string[] = [];
  const constructors = new Set<string>();
  const local = new Set<number>();
  let section: string | null = null;
  let site = "";
  for (const tensor of program.tensors) {
    const variable = variables[tensor.id]!;
    if (tensor.role === "parameter") {
      const info = parameters.get(tensor.name);
      if (info === undefined) throw new Error(`tensor ${tensor.name} is no parameter of the program`);
      constructors.add(info.init.kind);
      const group = tensor.name.split(".").slice(0, 2).join(".");
      if (section !== "parameters") declarations.push("// Parameters and how they start.");
      else if (group !== site) declarations.push("");
      site = group;
      section = "parameters";
      const frozen = info.trainable ? "" : ", { trainable: false }";
      declarations.push(
        `const ${variable} = program.parameter(${stringLiteral(info.path)}, ${literal(info.shape)}, ${initText(info.init, initNames)}${frozen});`,
      );
      continue;
    }
    const title = sectionNames[tensor.role] ?? "Tensors that live inside a phase.";
    if (title !== section) declarations.push("", `// ${title}`);
    section = title;
    local.add(tensor.id);
    declarations.push(tensorText(variable, tensor));
  }
  let usesNone = false;
  const handle = (id: number): string => {
    if (id !== noTensor) return variables[id]!;
    usesNone = true;
    return "none";
  };
  const launchLines = (phase: Phase): string[] => {
    const lines: string[] = [];
    let at = "";
    for (const launch of phase.launches) {
      const here = siteOf(launch.label);
      if (here !== at) lines.push(...(lines.length > 0 ? [""] : []), `// ${commentText(here)}`);
      at = here;
      const options = [
        ...(launch.sizes.length > 0 ? [`sizes: [${launch.sizes.map(sizeText).join(", ")}]`] : []),
        ...(launch.scalars.length > 0 ? [`scalars: ${literal(launch.scalars)}`] : []),
      ];
      const args = [
        stringLiteral(launch.kernel),
        stringLiteral(launch.label),
        `[${launch.buffers.map(handle).join(", ")}]`,
        `[${launch.writes.map(handle).join(", ")}]`,
        ...(options.length > 0 ? [`{ ${options.join(", ")} }`] : []),
      ];
      lines.push(`run.launch(${args.join(", ")});`);
    }
    return lines;
  };
  const functions = phaseOrder
    .filter((name) => program.phases[name].launches.length > 0)
    .map((name) => ({
      name,
      purpose: purposes[name],
      statements: launchLines(program.phases[name]),
    }));
  const count = program.parameters.reduce(
    (sum, parameter) => sum + parameter.shape.reduce((product, extent) => product * extent, 1),
    0,
  );
  const limit = program.maxLength === null ? "null" : numberLiteral(program.maxLength);
  return {
    imports: [...[...constructors].sort(), ...(usesNone ? ["none"] : []), "ProgramWriter"],
    header: `${commentText(program.name)}: ${count.toLocaleString("en-US")} parameters. Written by lctx from ${commentText(source)}.`,
    declarations: [
      `const program = new ProgramWriter(${stringLiteral(program.name)}, { maxLength: ${limit}${program.readsAhead ? ", readsAhead: true" : ""} });`,
      "",
      ...declarations,
    ],
    functions,
    closing: functions.map((phase) => `program.phase("${phase.name}", ${phase.name});`),
  };
}
