/** A whole program as one module: definitions of its attentions, a function for each phase, and the optimizer's step. */
import type { Expr } from "../../ir/expr.ts";
import type { Graph, UpdateRule } from "../../ir/graph.ts";
import { c, joinFragments, scriptName, type Fragment } from "../../ir/kernel.ts";
import type { ModuleConstant, ModuleFunction, ScriptModule } from "../../ir/script-module.ts";
import type { Analyses } from "./definitions.ts";
import { phaseLeaves } from "./map.ts";
import { ScriptNames } from "./names.ts";
import { phaseStatements } from "./phase.ts";
import { asNumber, hostNumber, type Needed } from "./print-host.ts";
import { tensorBody } from "./print-tensor.ts";

export type GraphPhase = "logits" | "loss" | "train";
export const graphPhases: readonly GraphPhase[] = ["logits", "loss", "train"];

const purposes: Readonly<Record<GraphPhase, string>> = {
  logits: "Next-token logits of a batch.",
  loss: "Loss of every token, nothing else: evaluation.",
  train: "Loss and the gradient of every parameter that trains.",
};

/** Constants by their text: repeated layers share what their attentions are. */
class Constants {
  readonly made: ModuleConstant[] = [];
  readonly #byText = new Map<string, Fragment>();

  of(word: string, type: string, value: Fragment): Fragment {
    const key = `${type} ${value.text}`;
    const known = this.#byText.get(key);
    if (known !== undefined) return known;
    const number = this.made.filter((each) => each.name.startsWith(word.toUpperCase())).length + 1;
    const name = scriptName(`${word.toUpperCase()}_${number}`);
    this.#byText.set(key, name);
    this.made.push({ name: name.text, type, value: value.text });
    return name;
  }
}

/** The optimizer's step of one parameter: new weight, then new states. */
function updateFunction(rule: UpdateRule, needed: Needed): ModuleFunction {
  const names = new ScriptNames(["w", "g", "old"]);
  const states = rule.states.map(({ name }) => names.fresh(name));
  const nowhere = (): never => {
    throw new Error("an update rule reads the weight, its gradient, states and scalars alone");
  };
  const bodies: readonly Expr[] = [rule.weight, ...rule.states.map(({ value }) => value)];
  const { definitions, values } = tensorBody(
    bodies,
    {
      plain: (e) => asNumber(e, hostNumber(e, phaseLeaves, needed)),
      hosted: nowhere,
      divided: () => false,
      logit: nowhere,
      operand: (n) => (n === 0 ? c`w` : n === 1 ? c`g` : (states[n - 2] ?? nowhere())),
      load: nowhere,
      uniform: nowhere,
    },
    needed,
  );
  const results = values.map(({ text, form }) => {
    if (form === "number") return c`tf.fill(w.shape, ${text})`;
    return text.text === "w" || text.text === "g" || states.some((state) => state.text === text.text)
      ? c`tf.clone(${text})`
      : text;
  });
  const opening = states.length === 0 ? [] : [c`const [${joinFragments(states, c`, `)}] = old;`];
  return {
    name: "update",
    purpose: "The optimizer's step of one parameter: its new weight, then its new states.",
    parameters: [
      { name: "run", type: "UpdateRun" },
      { name: "w", type: "tf.Tensor" },
      { name: "g", type: "tf.Tensor" },
      { name: "old", type: `States<${states.length}>` },
    ],
    returnType: "tf.Tensor[]",
    statements: [...opening, ...definitions, c`return [${joinFragments(results, c`, `)}];`].map(
      ({ text }) => text,
    ),
  };
}

export interface ModuleParts {
  readonly graphs: Readonly<Partial<Record<GraphPhase, Graph>>>;
  readonly update: UpdateRule | null;
  readonly analyses: Analyses;
}

export function scriptModule({ graphs, update, analyses }: ModuleParts): ScriptModule {
  const needed: Needed = new Set();
  const constants = new Constants();
  const phases: ModuleFunction[] = [];
  for (const name of graphPhases) {
    const graph = graphs[name];
    if (graph === undefined) continue;
    const shared = {
      needed,
      analyses,
      constant: (word: string, type: string, value: Fragment) => constants.of(word, type, value),
    };
    const statements = phaseStatements(graph, shared, libraryNames);
    const sizes = readsSizes(statements);
    phases.push({
      name,
      purpose: purposes[name],
      parameters: [{ name: "run", type: "Run" }],
      returnType: "Outputs",
      statements: [
        ...(sizes.length === 0 ? [] : [c`const { ${joinFragments(sizes, c`, `)} } = run;`, c``]),
        ...statements,
      ].map(({ text }) => text),
    });
  }
  if (update !== null) phases.push(updateFunction(update, needed));
  const types = new Set<string>(constants.made.map(({ type }) => type));
  for (const { parameters, returnType } of phases)
    for (const type of [returnType, ...parameters.map((own) => own.type)]) {
      const word = /^[A-Z]\w*/.exec(type)?.[0];
      if (word !== undefined) types.add(word);
    }
  return { functions: [...needed].sort(), types: [...types].sort(), constants: constants.made, phases };
}

/** Which sizes the text names. */
function readsSizes(statements: readonly Fragment[]): readonly Fragment[] {
  const all = statements.map(({ text }) => text).join("\n");
  return ["batch", "length"].filter((name) => new RegExp(`(?<![.\\w])${name}\\b`).test(all)).map(scriptName);
}

/** Functions of the library that variables must not hide. */
const libraryNames = [
  "attention",
  "matMul",
  "spread",
  "grid",
  "uniform",
  "choose",
  "rotate",
  "select",
  "pairs",
  "corners",
  "erf",
  "floorDiv",
  "floorMod",
  "floorDivTensor",
  "floorModTensor",
  "scatterRows",
  "blockReduce",
  "blockSpread",
  "attentionGradient",
  "logSumExp",
  "pairReduce",
  "crossEntropy",
  "crossEntropyGradient",
  "headLoss",
  "headLossGradient",
];

/** The module as a script that takes `tf` and the runtime's library and returns its phases. */
export function scriptText(module: ScriptModule): string {
  const lines = [
    `const { ${module.functions.join(", ")} } = library;`,
    ...module.constants.map(({ name, value }) => `const ${name} = ${value};`),
    ...module.phases.flatMap(({ name, parameters, statements }) => [
      `function ${name}(${parameters.map((own) => own.name).join(", ")}) {`,
      ...statements,
      "}",
    ]),
    `return { ${module.phases.map(({ name }) => name).join(", ")} };`,
  ];
  return `${lines.join("\n")}\n`;
}
