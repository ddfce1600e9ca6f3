/** Elaborates a `model` item: settings, instances, adapters, and the body as one graph of terms. */
import type {
  AdaptItem,
  Argument,
  ModelItem,
  ModuleItem,
  PretrainedItem,
  Setting,
} from "../../../grammar/ast.ts";
import type { Span } from "../../source/span.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Definition, Environment } from "../environment.ts";
import { findItem, itemHelp } from "../find-item.ts";
import { mistake } from "../mistakes.ts";
import { bindArguments, type StaticScope } from "../static.ts";
import type { MethodValue, StaticValue } from "../static-value.ts";
import { attachAdapters, checkOverlaps, shownModel, showPattern, siteHelp, trainedPaths } from "./attach.ts";
import { readInstance } from "./calls.ts";
import type { ReadContext } from "./read-context.ts";
import { allInstances, buildInstance, type Instance } from "./instance.ts";
import { numberSetting, type Methods, type Model, type ModelParameter, type Site } from "./model.ts";
import { parametersBelow, siteOf } from "./sites.ts";
import { withParameters } from "./term-order.ts";
import { showAxes, type Term } from "./term.ts";
import { materialize, termValue } from "./value.ts";

/** The `adapt` items of a model in its file. */
export const adaptsOf = (name: string, environment: Environment): readonly AdaptItem[] =>
  environment.file.items.filter(
    (item): item is AdaptItem => item.kind === "adapt" && item.model.text === name,
  );

const settingArguments = (settings: readonly Setting[]): Argument[] =>
  settings.map((setting) => ({ name: setting.name, value: setting.value }));

/** The module and all settings of a model; null after a report. */
function modelMethod(item: ModelItem, environment: Environment, reporter: Reporter): MethodValue | null {
  const scope: StaticScope = { environment, values: new Map() };
  if (item.base.kind === "module") {
    const name = item.base.name.text;
    const definition = findItem(environment, name, ["module"]);
    if (definition?.item.kind !== "module") {
      const help = itemHelp(name, definition, "module", environment);
      const code = definition === undefined ? "name-unknown" : "model-base";
      mistake(reporter, code, item.base.name.span, { name }, help);
      return null;
    }
    const call = { arguments: settingArguments(item.settings), span: item.name.span };
    return bindArguments(definition, call, scope, reporter, new Map(), "setting");
  }
  const id = item.base.id.value;
  const found = pretrainedItem(id, environment);
  if (found === null) {
    mistake(reporter, "pretrained-unknown", item.base.id.span, { id });
    return null;
  }
  const { definition, item: published } = found;
  const base = findItem(definition.environment, published.base.text, ["module"]);
  if (base?.item.kind !== "module") {
    mistake(reporter, "model-base", published.base.span, { name: published.base.text });
    return null;
  }
  const inner: StaticScope = { environment: definition.environment, values: new Map() };
  const call = { arguments: settingArguments(published.settings), span: published.id.span };
  const defaults = bindArguments(base, call, inner, reporter, new Map(), "setting");
  if (defaults === null) return null;
  // Settings as published stand for what the model does not set; the rest is worked out anew from both.
  const stated = new Set(published.settings.map((setting) => setting.name.text));
  const presets = new Map<string, StaticValue>([...defaults.arguments].filter(([name]) => stated.has(name)));
  const own = { arguments: settingArguments(item.settings), span: item.name.span };
  return bindArguments(base, own, scope, reporter, presets, "setting");
}

/** A published checkpoint's settings, by id, from the names of the file. */
function pretrainedItem(
  id: string,
  environment: Environment,
): { definition: Definition; item: PretrainedItem } | null {
  const definition = environment.names.get(JSON.stringify(id)) ?? environment.names.get(id);
  return definition?.item.kind === "pretrained" ? { definition, item: definition.item } : null;
}

/** Learned vectors that adapters put before the text, and where the last of these adapters is attached. */
function prependedTokens(root: Instance, reporter: Reporter): { plus: number; plusSpan: Span | null } | null {
  let plus = 0;
  let plusSpan: Span | null = null;
  for (const instance of allInstances(root)) {
    for (const attachment of instance.attachments) {
      const item = attachment.method.definition.item;
      if (item.kind !== "adapter") continue;
      for (const clause of item.clauses) {
        if (clause.kind !== "prepend") continue;
        const name = attachment.method.definition.name;
        const targets = clause.parts.map((part) => part.target.text);
        const wanted =
          instance.kind === "embed" ? ["tokens"] : instance.kind === "attention" ? ["keys", "values"] : [];
        if (targets.length !== wanted.length || wanted.some((target) => !targets.includes(target))) {
          const holes = { adapter: name, problem: `prepends ${targets.join(" and ")}`, site: instance.kind };
          mistake(reporter, "adapter-clause", clause.span, holes);
          return null;
        }
        if (instance.kind !== "embed") continue;
        const value = clause.parts[0]!.value;
        const table = value.kind === "name" ? attachment.tables.get(value.name) : undefined;
        if (table === undefined || table.axes.length !== 2) {
          const holes = {
            adapter: name,
            problem: "prepends what is no table of vectors",
            site: instance.kind,
          };
          mistake(reporter, "adapter-clause", clause.span, holes);
          return null;
        }
        plus += table.axes[0]!.size;
        plusSpan = attachment.span;
      }
    }
  }
  return { plus, plusSpan };
}

/** The checked model of an item; null after reported mistakes. Never throws on what a parser accepts. */
export function elaborateModel(
  item: ModelItem,
  environment: Environment,
  reporter: Reporter,
  methods: Methods,
): Model | null {
  const method = modelMethod(item, environment, reporter);
  if (method === null) return null;
  const root = buildInstance(method, "", [], 0, { reporter, instances: 0, repeated: null });
  if (root === null) return null;
  const adapts = adaptsOf(item.name.text, environment);
  const shown = shownModel(item.name.text, item.base.kind === "pretrained" ? item.base.id.value : null);
  let ok = true;
  for (const adapt of adapts) ok = attachAdapters(adapt, root, shown, environment, reporter) && ok;
  if (!ok) return null;
  const prepended = prependedTokens(root, reporter);
  if (prepended === null) return null;
  const length = numberSetting(method.arguments, "length") ?? 0;
  const context: ReadContext = {
    reporter,
    methods,
    length,
    ...prepended,
    streams: 0,
    attentions: new Map(),
    rotations: new Map(),
    maxLength: null,
  };
  const tokens: Term = { kind: "tokens", axes: [], extent: "token", plus: 0, site: "", span: item.span };
  const value = readInstance(root, [termValue(tokens)], item.name.span, context);
  const place = { site: "head", span: item.name.span };
  const output = value === null ? null : materialize(value, place, reporter);
  if (output === null) return null;
  if (output.axes.length !== 1 || output.extent !== "token") {
    mistake(reporter, "output-shape", (method.definition.item as ModuleItem).name.span, {
      found: showAxes(output.axes),
    });
    return null;
  }
  return settleTraining(item, adapts, root, output, method, context);
}

function settleTraining(
  item: ModelItem,
  adapts: readonly AdaptItem[],
  root: Instance,
  output: Term,
  method: MethodValue,
  context: ReadContext,
): Model | null {
  const { reporter } = context;
  const name = item.name.text;
  const bare = siteOf(root);
  const all = parametersBelow(bare);
  let finished = output;
  let site = bare;
  if (adapts.length > 0) {
    const patterns = adapts.flatMap((adapt) =>
      adapt.clauses.flatMap((clause) => (clause.kind === "train-sites" ? clause.sites : [])),
    );
    const instances = allInstances(root);
    let known = true;
    const trained = trainedPaths(patterns, bare, (pattern) => {
      const shown = shownModel(name, item.base.kind === "pretrained" ? item.base.id.value : null);
      const holes = { pattern: showPattern(pattern), model: shown };
      mistake(reporter, "adapter-site-unknown", pattern.span, holes, siteHelp(pattern, bare));
      known = false;
    });
    if (!known) return null;
    if (!checkOverlaps(root, trained, reporter)) return null;
    const adapters = new Set(
      instances.flatMap((i) =>
        i.attachments.flatMap((a) =>
          [...a.tables.values()].flatMap((t) => (t.kind === "parameter" ? [t.parameter.path] : [])),
        ),
      ),
    );
    const settled = new Map(
      all.map((p) => [p.path, { ...p, trainable: adapters.has(p.path) || trained.has(p.path) }]),
    );
    if (![...settled.values()].some((p) => p.trainable)) {
      mistake(reporter, "nothing-trains", adapts[0]!.model.span, { model: name });
      return null;
    }
    site = siteOf(root, settled);
    finished = withParameters(output, settled);
  }
  return {
    name,
    pretrained: item.base.kind === "pretrained" ? item.base.id.value : null,
    settings: method,
    site,
    parameters: parametersBelow(site),
    output: finished,
    length: context.length,
    vocabulary: output.axes[0]!.size,
    maxLength: context.maxLength,
    span: item.span,
  };
}
