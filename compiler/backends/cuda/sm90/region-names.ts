/** Names of kernel parameters that each rotation region has one of. */
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { range } from "./wgmma.ts";

/** The name of region n's parameter: plain for the first. */
export const regionName = (name: string, n: number): Fragment =>
  n === 0 ? identifier(name) : identifier(name, n);

/** Text for each name of each region, region after region. */
export const regionNames = (
  regions: number,
  text: (name: Fragment) => Fragment,
  names: readonly string[],
): Fragment =>
  joinFragments(
    range(regions).flatMap((n) => names.map((name) => text(regionName(name, n)))),
    c``,
  );

/** The parameter of the region that an expression says. */
export const pick = (name: string, regions: number, region: Fragment): Fragment =>
  regions === 1
    ? identifier(name)
    : c`(${joinFragments(
        range(regions - 1).map((n) => c`${region} == ${n} ? ${regionName(name, n)} : `),
        c``,
      )}${regionName(name, regions - 1)})`;
