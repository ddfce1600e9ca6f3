/** Device functions of an attention's pairs where its regions are visited one at a time: those of the region that `p.region` names. */
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";

const pair = { head: c`int q, int k`, given: c`q, k` };
const rectangle = { head: c`int q0, int q1, int k0, int k1`, given: c`q0, q1, k0, k1` };

/** One function that calls that of the region, `lctx_⋯_of_n`. */
function choose(regions: number, type: Fragment, name: string, head: Fragment, given: Fragment): Fragment {
  const call = (n: number): Fragment => c`${identifier(`${name}_of`, n)}(p, b, h, ${given})`;
  const cases = Array.from(
    { length: regions - 1 },
    (_, n) => c`  if (p.region == ${n}) return ${call(n)};\n`,
  );
  return c`LCTX_DEVICE ${type} ${identifier(name)}(const lctx_pairs &p, int b, int h, ${head}) {
${joinFragments(cases, c``)}  return ${call(regions - 1)};
}
`;
}

/** `lctx_see`, `lctx_all`, `lctx_any`, `lctx_key_ranges` and `lctx_query_ranges` of the pairs that region `p.region` takes. */
export const partsText = (regions: number): Fragment => c`
LCTX_DEVICE bool lctx_see(const lctx_pairs &p, int b, int h, ${pair.head}) {
  return lctx_see_any(p, b, h, ${pair.given}) & (lctx_region(p, b, h, ${pair.given}) == p.region);
}
${choose(regions, c`bool`, "lctx_all", rectangle.head, rectangle.given)}${choose(regions, c`bool`, "lctx_any", rectangle.head, rectangle.given)}${choose(
  regions,
  c`lctx_ranges`,
  "lctx_key_ranges",
  c`int q0, int q1, int block`,
  c`q0, q1, block`,
)}${choose(regions, c`lctx_ranges`, "lctx_query_ranges", c`int k0, int k1, int block`, c`k0, k1, block`)}`;
