/** From a spec's text to checked facts; apart from what compiles, which a check need not load. Pure: files come from a host. */
import { checkProject, type CheckedProject } from "./check/check.ts";
import type { Environment, SourceHost } from "./check/environment.ts";
import { libraryFile, loadProject } from "./check/imports.ts";
import { applyOverrides } from "./check/overrides.ts";
import type { Diagnostic } from "./diagnostics/diagnostic.ts";
import { messages } from "./diagnostics/messages.gen.ts";
import { Reporter } from "./diagnostics/reporter.ts";

export interface Checked {
  readonly environment: Environment | null;
  readonly project: CheckedProject | null;
  readonly diagnostics: readonly Diagnostic[];
  readonly failed: boolean;
  /** Text of every project file read, by path. */
  readonly sources: ReadonlyMap<string, string>;
  /** Text of every library file read, by the path that places in it have: `std/masks.lctx`. */
  readonly librarySources: ReadonlyMap<string, string>;
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
  const librarySources = new Map<string, string>();
  const recording: SourceHost = {
    read(name) {
      const found = name === path ? text : host.read(name);
      if (found !== null) sources.set(name, found);
      return found;
    },
    library(parts) {
      const found = host.library(parts);
      if (found !== null) librarySources.set(libraryFile(parts), found);
      return found;
    },
    libraryFiles: () => host.libraryFiles?.() ?? [],
    parsedLibrary: (parts, source) => host.parsedLibrary?.(parts, source) ?? null,
  };
  const loaded = loadProject(path, recording, reporter);
  if (loaded !== null && !reporter.failed && loaded.file.items.length === 0)
    reporter.add(messages.specEmpty({ file: path, start: 0, end: 0 }));
  const environment =
    loaded === null || overrides.length === 0 ? loaded : applyOverrides(loaded, overrides, reporter);
  const project = environment === null || reporter.failed ? null : checkProject(environment, reporter);
  return {
    environment,
    project,
    diagnostics: reporter.diagnostics,
    failed: reporter.failed,
    sources,
    librarySources,
  };
}
