/** Environment: the names a file may use, each with its definition and the file it was written in. */
import type { AstFile, Item } from "../../grammar/ast.ts";
import type { ParseResult } from "../../grammar/parse.ts";

/** An item together with the environment its body is read in. */
export interface Definition {
  readonly name: string;
  readonly item: Item;
  readonly environment: Environment;
}

export interface Environment {
  readonly file: AstFile;
  /** Own items, imported items and the prelude, by name; own items first. `model X` and `pretrained "id"` are entries too (`pretrained` by its id in quotes). */
  readonly names: ReadonlyMap<string, Definition>;
}

/** How files are found: pure, so that the checker itself reads no disk. */
export interface SourceHost {
  /** Text of a project file by normalised path, or null when there is none. Must refuse paths outside the project. */
  read(path: string): string | null;
  /** Text of a library file (`["std", "masks"]`), or null. */
  library(path: readonly string[]): string | null;
  /** What parsing a library file's text gives, where that is known already; null or absent: parse it. */
  parsedLibrary?(path: readonly string[], text: string): ParseResult | null;
}
