/** Attaches adapters to sites and settles which weights train. */
import type { AdaptItem, AdapterItem, SitePattern } from "../../../grammar/ast.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Span } from "../../source/span.ts";
import { findItem, itemHelp } from "../find-item.ts";
import { mistake, type MistakeExtras } from "../mistakes.ts";
import { bindArguments, type StaticScope } from "../static.ts";
import { suggest } from "../../diagnostics/suggest.ts";
import type { MethodValue, StaticValue } from "../static-value.ts";
import type { Environment } from "../environment.ts";
import { allInstances, joinPath, matchesEnd, siteKind, tableTerm, type Instance } from "./instance.ts";
import type { SiteKind } from "./model.ts";
import { siteOf } from "./sites.ts";
import type { Term } from "./term.ts";

/** A site pattern as it is written. */
export function showPattern(pattern: SitePattern): string {
  return pattern.segments
    .map((segment) => {
      switch (segment.kind) {
        case "any":
          return "*";
        case "name":
          return segment.name.text;
        case "number":
          return String(segment.value);
        case "range":
          return `${segment.from} to ${segment.to}`;
        case "one-of":
          return `{${segment.names.map((name) => name.text).join(", ")}}`;
        default:
          return segment satisfies never;
      }
    })
    .join(".");
}

/** Patterns with `{a, b}` written out, so that each part must match something. */
export function expandPattern(pattern: SitePattern): readonly SitePattern[] {
  const at = pattern.segments.findIndex((segment) => segment.kind === "one-of");
  const segment = pattern.segments[at];
  if (segment?.kind !== "one-of") return [pattern];
  return segment.names.flatMap((name) => {
    const segments = [...pattern.segments];
    segments[at] = { kind: "name", name };
    return expandPattern({ segments, span: name.span });
  });
}

const article = (kind: string): string => (/^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`);

/** Adapters for `residual` fit any site with one stream of vectors; the others only sites of their kind. */
const fits = (wanted: SiteKind, site: Instance): boolean =>
  wanted === site.kind || (wanted === "residual" && site.kind === "attention");

/** A model in messages: the published checkpoint it starts from, else its own name. */
export const shownModel = (name: string, pretrained: string | null): string =>
  pretrained === null ? name : pretrained.slice(pretrained.lastIndexOf("/") + 1).replace(/-hf$/, "");

/** `qkv` as `q`, `k` and `v`: the known names that a word is made of, one after another; null when it is not. */
function partsOfWord(word: string, names: readonly string[]): readonly string[] | null {
  if (word === "") return [];
  for (const name of names) {
    if (!word.startsWith(name)) continue;
    const others = names.filter((other) => other !== name);
    const rest = partsOfWord(word.slice(name.length).replace(/^_/, ""), others);
    if (rest !== null) return [name, ...rest];
  }
  return null;
}

/** What the model has under similar names, for a pattern that matches nothing: beside it when one is near, else below. */
export function siteHelp(pattern: SitePattern, root: TrainableSite): MistakeExtras {
  const written = showPattern(pattern);
  const tails = new Set<string>();
  const visit = (site: TrainableSite): void => {
    const parts = site.path.split(".");
    for (const start of site.starts) {
      const tail = parts.slice(start).filter((part) => !/^\d+$/.test(part));
      if (tail.length <= 3) tails.add(tail.join("."));
    }
    site.children.forEach(visit);
  };
  visit(root);
  tails.delete("");
  const beside = (found: string): MistakeExtras => ({ label: `did you mean \`${found}\`?`, help: null });
  const parent = written.split(".").slice(0, -1).join(".");
  const siblings = [...tails].filter((tail) => parent !== "" && tail.startsWith(`${parent}.`));
  const names = siblings.map((tail) => tail.slice(parent.length + 1)).filter((name) => !name.includes("."));
  const word = written.slice(parent.length + 1);
  const parts = word.length > 64 ? null : partsOfWord(word, names);
  if (parts !== null && parts.length > 1) return beside(`${parent}.{${parts.join(", ")}}`);
  const near = suggest(
    written,
    [...tails].map((name) => ({ name, kind: "site" })),
  );
  if (near !== null) return beside(near);
  if (names.length > 1) return beside(`${parent}.{${names.join(", ")}}`);
  const short = [...tails].filter((tail) => tail.split(".").length <= 2);
  return { help: `sites: ${short.slice(0, 12).join(", ")}` };
}

/** Attaches what the clauses say; false after a report. */
export function attachAdapters(
  item: AdaptItem,
  root: Instance,
  modelName: string,
  environment: Environment,
  reporter: Reporter,
): boolean {
  let ok = true;
  for (const clause of item.clauses) {
    if (clause.kind !== "attach") continue;
    const callee = clause.adapter.callee;
    const name = callee.kind === "name" ? callee.name : callee.member.text;
    const definition = findItem(environment, name, ["adapter"]);
    if (definition === undefined || definition.item.kind !== "adapter") {
      const help = itemHelp(name, definition, "adapter", environment);
      mistake(reporter, "adapter-unknown", callee.span, { name }, help);
      ok = false;
      continue;
    }
    const scope: StaticScope = { environment, values: root.values };
    const method = bindArguments(definition, clause.adapter, scope, reporter);
    const adapter = definition.item;
    const wanted = siteKind(adapter.site, reporter);
    if (method === null || wanted === null) {
      ok = false;
      continue;
    }
    for (const pattern of clause.sites.flatMap(expandPattern)) {
      const matched = allInstances(root).filter(
        (i) => i.path !== "" && matchesEnd(pattern.segments, i.path, i.starts),
      );
      if (matched.length === 0) {
        const holes = { pattern: showPattern(pattern), model: modelName };
        mistake(reporter, "adapter-site-unknown", pattern.span, holes, siteHelp(pattern, siteOf(root)));
        ok = false;
      }
      for (const instance of matched) {
        if (fits(wanted, instance)) ok = attach(method, adapter, instance, pattern.span, reporter) && ok;
        else {
          const holes = {
            adapter: name,
            expected: wanted,
            site: instance.path,
            found: article(instance.kind),
          };
          mistake(reporter, "adapter-site-kind", pattern.span, holes);
          ok = false;
        }
      }
    }
  }
  return ok;
}

function attach(
  method: MethodValue,
  item: AdapterItem,
  site: Instance,
  span: Span,
  reporter: Reporter,
): boolean {
  const name = method.definition.name;
  const before = site.attachments.find((other) => other.method.definition === method.definition);
  if (before !== undefined) {
    const secondary = [{ span: before.span, label: "first here" }];
    mistake(reporter, "adapter-overlap", span, { adapter: name, site: site.path }, { secondary });
    return false;
  }
  const values = new Map<string, StaticValue>([...site.values, ...method.arguments]);
  const scope: StaticScope = { environment: method.definition.environment, values };
  const axes = new Map(site.axes);
  const tables = new Map<string, Term>();
  let ok = true;
  for (const clause of item.clauses) {
    if (clause.kind !== "param") continue;
    for (const table of clause.tables) {
      const term = tableTerm(table, joinPath(site.path, name), axes, scope, reporter);
      if (term !== null) tables.set(table.name.text, term);
      else if (table.where === null) ok = false;
    }
  }
  if (ok) site.attachments.push({ method, tables, axes, span });
  return ok;
}

/** A site as `train` clauses see it. */
export interface TrainableSite {
  readonly path: string;
  readonly starts: readonly number[];
  readonly children: readonly TrainableSite[];
  readonly parameters: readonly { readonly path: string }[];
}

/** Which parameters the patterns name, by path; a pattern that names none is reported. */
export function trainedPaths(
  patterns: readonly SitePattern[],
  root: TrainableSite,
  unmatched: (pattern: SitePattern) => void,
): ReadonlyMap<string, Span> {
  const trained = new Map<string, Span>();
  for (const pattern of patterns.flatMap(expandPattern)) {
    const found: string[] = [];
    const visit = (site: TrainableSite, whole: boolean): void => {
      const named = whole || (site.path !== "" && matchesEnd(pattern.segments, site.path, site.starts));
      for (const { path } of site.parameters) {
        // A parameter may be named by itself (`attn.bias`).
        const starts = [...site.starts, path.split(".").length - 1];
        if (named || matchesEnd(pattern.segments, path, starts)) found.push(path);
      }
      for (const child of site.children) visit(child, named);
    };
    visit(root, false);
    if (found.length === 0) unmatched(pattern);
    for (const path of found) if (!trained.has(path)) trained.set(path, pattern.span);
  }
  return trained;
}

/** Reports linear sites whose own weights train although an adapter stands beside them. */
export function checkOverlaps(
  root: Instance,
  trained: ReadonlyMap<string, Span>,
  reporter: Reporter,
): boolean {
  let ok = true;
  for (const instance of allInstances(root)) {
    const attachment = instance.attachments[0];
    if (attachment === undefined || instance.kind !== "linear") continue;
    for (const name of instance.tables.keys()) {
      const span = trained.get(joinPath(instance.path, name));
      if (span === undefined) continue;
      const secondary = [
        { span: attachment.span, label: `\`${attachment.method.definition.name}\` attaches here` },
      ];
      mistake(reporter, "adapter-train-overlap", span, { site: instance.path }, { secondary });
      ok = false;
    }
  }
  return ok;
}
