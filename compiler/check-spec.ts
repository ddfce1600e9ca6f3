/** From a spec's text to checked facts; apart from what compiles, which a check need not load. Pure: files come from a host. */
import { checkProject, type CheckedProject } from "./check/check.ts";
import type { Environment, SourceHost } from "./check/environment.ts";
import { loadProject } from "./check/imports.ts";
import { applyOverrides } from "./check/overrides.ts";
import type { Diagnostic } from "./diagnostics/diagnostic.ts";
import { Reporter } from "./diagnostics/reporter.ts";

export interface Checked {
  readonly environment: Environment | null;
  readonly project: CheckedProject | null;
  readonly diagnostics: readonly Diagnostic[];
  readonly failed: boolean;
  /** Text of every file read, by path. */
  readonly sources: ReadonlyMap<string, string>;
}

/** Checks a spec. `overrides` are `path=value` settings from the command line. */
export function checkSpec(
  path: string,
  text: string,
  host: SourceHost,
  overrides: readonly string[] = [],
): Checked {
  const reporter = new Reporter();
  const sources = new Map([[path, text]]);
  const recording: SourceHost = {
    read(name) {
      const found = name === path ? text : host.read(name);
      if (found !== null) sources.set(name, found);
      return found;
    },
    library: (parts) => host.library(parts),
    parsedLibrary: (parts, source) => host.parsedLibrary?.(parts, source) ?? null,
  };
  const loaded = loadProject(path, recording, reporter);
  const environment =
    loaded === null || overrides.length === 0 ? loaded : applyOverrides(loaded, overrides, reporter);
  const project = environment === null || reporter.failed ? null : checkProject(environment, reporter);
  return { environment, project, diagnostics: reporter.diagnostics, failed: reporter.failed, sources };
}
