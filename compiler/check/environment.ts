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
  /** The prelude's own names: seen where `names` has something of another kind; see `findItem`. */
  readonly prelude: ReadonlyMap<string, Definition>;
  /** Where the library defines a name; read when a message first asks. */
  readonly library: () => LibraryIndex;
  /** Text of a file of the project, its path beside this file; null where there is none or it lies outside. */
  readonly readBeside: (path: string) => string | null;
}

/** What the library's files define, by name: `std.masks` for a mask. */
export type LibraryIndex = ReadonlyMap<string, readonly { readonly from: string; readonly kind: ItemKind }[]>;

export type ItemKind = Item["kind"];

/** How files are found: pure, so that the checker itself reads no disk. */
export interface SourceHost {
  /** Text of a project file by normalised path, or null when there is none. Must refuse paths outside the project. */
  read(path: string): string | null;
  /** Text of a library file (`["std", "masks"]`), or null. */
  library(path: readonly string[]): string | null;
  /** Every library file, for messages that say where a name can be imported from; absent: they do not say. */
  libraryFiles?(): readonly (readonly string[])[];
  /** What parsing a library file's text gives, where that is known already; null or absent: parse it. */
  parsedLibrary?(path: readonly string[], text: string): ParseResult | null;
}
