/** Writes model.ts of a TensorFlow.js project: what the program is, its attentions, and a function for each phase. */
import { Project } from "ts-morph";
import type { Program } from "../../runtime/program.ts";
import type { ScriptModule } from "../ir/script-module.ts";
import { printed } from "./print-modules.ts";
import { commentText, initText, literal, numberLiteral, stringLiteral, type Plain } from "./typescript.ts";

/** Constructors of first values, as the library names them. */
const initNames = { constant: "constant", normal: "normal", uniform: "evenly" } as const;

/** Shapes by name of the tensors that the trainer writes or reads. */
const shapesOf = (program: Program, role: "input" | "output"): string =>
  literal(
    Object.fromEntries(
      program.tensors
        .filter((tensor) => tensor.role === role)
        .map(({ name, shape }) => [name, shape as Plain]),
    ),
  );

function description(program: Program): string {
  const states = new Set(
    program.tensors.flatMap(({ role, name }) => (role === "state" ? [name.split(":")[1]!] : [])),
  );
  const parameters = program.parameters.map(({ path, shape, init, trainable }) => {
    const frozen = trainable ? "" : ", { trainable: false }";
    return `parameter(${stringLiteral(path)}, ${literal(shape)}, ${initText(init, initNames)}${frozen})`;
  });
  return `describe(${stringLiteral(program.name)}, {
    maxLength: ${program.maxLength === null ? "null" : numberLiteral(program.maxLength)},
    ${program.readsAhead ? "readsAhead: true," : ""}
    inputs: ${shapesOf(program, "input")},
    outputs: ${shapesOf(program, "output")},
    states: ${literal([...states])},
    parameters: [${parameters.join(",\n")}],
  })`;
}

/** The text of model.ts; `library` is the path of the runtime's TensorFlow.js library. */
export async function printTfjsModel(
  program: Program,
  module: ScriptModule,
  source: string,
  library: string,
): Promise<string> {
  const file = new Project({ useInMemoryFileSystem: true }).createSourceFile("model.ts");
  const constructors = new Set(program.parameters.map(({ init }) => initNames[init.kind]));
  file.addImportDeclaration({ moduleSpecifier: "@tensorflow/tfjs-core", namespaceImport: "tf" });
  file.addImportDeclaration({
    moduleSpecifier: library,
    namedImports: [
      ...new Set([...module.functions, ...constructors, "describe", "noKernels", "parameter"]),
    ].sort(),
  });
  file.addImportDeclaration({ moduleSpecifier: library, namedImports: [...module.types], isTypeOnly: true });
  file.addStatements((writer) => {
    writer.blankLine();
    writer.writeLine(
      "/** What the trainer knows of the program: parameters and how they start, batch data, results. */",
    );
    writer.writeLine(`export const program = ${description(program)};`);
    for (const { name, type, value } of module.constants) {
      writer.blankLine();
      writer.writeLine(`const ${name}: ${type} = ${value};`);
    }
  });
  for (const phase of module.phases)
    file.addFunction({
      name: phase.name,
      isExported: true,
      docs: [phase.purpose],
      parameters: phase.parameters.map(({ name, type }) => ({ name, type })),
      returnType: phase.returnType,
      statements: (writer) =>
        phase.statements.forEach((line) => (line === "" ? writer.blankLine() : writer.writeLine(line))),
    });
  const names = module.phases.map(({ name }) => name).join(", ");
  file.addStatements(
    `/** What the trainer runs. */\nexport const model = { program, kernels: noKernels, phases: { ${names} } };`,
  );
  const count = program.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return printed(
    file,
    `${commentText(program.name)}: ${count.toLocaleString("en-US")} parameters, on TensorFlow.js. Written by lctx from ${commentText(source)}.`,
  );
}
