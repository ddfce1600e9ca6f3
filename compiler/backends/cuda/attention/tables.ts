/** Tables that masks and scores load, as device code reads them. */
import type { LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import type { Node } from "../../../ir/graph.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";

export interface CudaTable {
  readonly dtype: "f32" | "i32";
  /** Pointer to the first element, of row `b` for batch data. */
  readonly base: Fragment;
  /** Extents of the axes that are indexed, for the launch and in device code. */
  readonly extents: readonly LaunchSize[];
  readonly extentText: readonly Fragment[];
  /** Elements of the whole table, and the flat place of row `b`'s first one. */
  readonly elements: LaunchSize;
  readonly rowPlace: Fragment;
}

/** Table n is field `table_n` of `p`, its open extents fields `extent_n_axis`. */
export function tablesOf(buffers: readonly Node[]): readonly CudaTable[] {
  return buffers.map((buffer, n) => {
    const batched = buffer.axes[0]?.name === "b";
    const extents = (batched ? buffer.axes.slice(1) : buffer.axes).map((axis) => axisExtent(axis.size));
    const extentText = extents.map((extent, axis) =>
      typeof extent === "number" ? c`${extent}` : c`p.${identifier("extent", n, axis)}`,
    );
    const count = joinFragments([c`1`, ...extentText], c` * `);
    const row = batched ? c` + (long long)b * (${count})` : c``;
    return {
      dtype: buffer.dtype,
      base: c`(p.${identifier("table", n)}${row})`,
      extents,
      extentText,
      elements: ["*", batched ? "batch" : 1, ...extents],
      rowPlace: batched ? c`b * (${count})` : c`0`,
    };
  });
}
