/** The tree of sites that a model shows, from its instances. */
import type { Instance } from "./instance.ts";
import type { ModelParameter, Site } from "./model.ts";
import type { Term } from "./term.ts";

/** The site of an instance with everything below it; `settled` knows which parameters train. */
export function siteOf(instance: Instance, settled: ReadonlyMap<string, ModelParameter> = new Map()): Site {
  const settle = (term: Term): ModelParameter[] =>
    term.kind === "parameter" ? [settled.get(term.parameter.path) ?? term.parameter] : [];
  const own = [...instance.tables.values(), ...instance.attentionTables.values()];
  const adapters = instance.attachments.flatMap((attachment): Site[] => [
    {
      path: `${instance.path}.${attachment.method.definition.name}`,
      starts: [...instance.starts, instance.path.split(".").length],
      kind: "residual",
      module: attachment.method.definition.name,
      adapters: [],
      parameters: [...attachment.tables.values()].flatMap(settle),
      children: [],
      span: attachment.span,
    },
  ]);
  const children = [...instance.children.values()].flatMap((list) =>
    (list ?? []).map((child) => siteOf(child, settled)),
  );
  return {
    path: instance.path,
    starts: instance.starts,
    kind: instance.kind,
    module: instance.method.definition.name,
    adapters: instance.attachments.map((attachment) => attachment.method.definition.name),
    parameters: own.flatMap(settle),
    children: [...children, ...adapters],
    span: instance.span,
  };
}

/** All parameters below and including a site. */
export const parametersBelow = (site: Site): readonly ModelParameter[] => [
  ...site.parameters,
  ...site.children.flatMap(parametersBelow),
];
