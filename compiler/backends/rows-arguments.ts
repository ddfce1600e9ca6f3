/** RowsArguments: the sizes and scalars that the bodies of a rows step read, numbered as their kernel is passed them. */
import { identifier, type Fragment } from "../ir/kernel.ts";
import type { Size } from "../../runtime/program.ts";

export class RowsArguments {
  /** Open sizes, passed after those of the axes. */
  readonly sizes: Size[] = [];
  /** Named scalars. */
  readonly scalars: string[] = [];

  scalar(name: string): Fragment {
    let n = this.scalars.indexOf(name);
    if (n < 0) n = this.scalars.push(name) - 1;
    return identifier("scalar", n);
  }

  size(size: Size): Fragment {
    const key = JSON.stringify(size);
    let n = this.sizes.findIndex((known) => JSON.stringify(known) === key);
    if (n < 0) n = this.sizes.push(size) - 1;
    return identifier("size", n);
  }
}
