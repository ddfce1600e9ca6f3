/** Printed Hopper kernels as text that the host compiles: instructions that C has no words for become calls of host-hopper.hpp. */

/** Instructions inside kernels; functions made of them alone are dropped, as the host has its own under the same names. */
const statements: readonly (readonly [RegExp, string])[] = [
  [/asm volatile\("setmaxnreg[^;]*;"\);/g, ""],
  [/asm volatile\("fence\.proxy\.async;" ::: "memory"\);/g, ""],
  [
    /asm volatile\("stmatrix[^"]*" ::"r"\(to\),\s*"r"\(([^)]*)\),\s*"r"\(([^)]*)\),\s*"r"\(([^)]*)\),\s*"r"\(([^)]*)\) : "memory"\);/g,
    "host_store_matrices(to, $1, $2, $3, $4);",
  ],
  [
    /asm volatile\("ld\.acquire[^"]*" : "=r"\(passed\) : "l"\(([^)]*)\) : "memory"\);/g,
    "passed = host_read_turns($1);",
  ],
  [/asm volatile\("red\.release[^"]*" ::"l"\(([^)]*)\) : "memory"\);/g, "*($1) += 1, host_events++;"],
];

/** The functions of products and of waits for them, which are printed one for each shape. */
const product =
  /LCTX_DEVICE void (\w+)\((float \(&d\)\[\d+\], (u64 a|u32 a0[^)]*?), u64 b, int keep)\) \{\n {2}asm volatile\("[^"]*?wgmma\.mma_async\.sync\.aligned\.m64n(\d+)k16\.f32\.(bf16|f16)[\s\S]*?p, 1, 1, ([01])(?:, ([01]))?; \}"[\s\S]*?\n\}/g;
const wait =
  /LCTX_DEVICE void (\w+)\((float \(&d\)\[\d+\])\) \{\n {2}asm volatile\("wgmma\.wait_group\.sync\.aligned (\d);"[\s\S]*?\n\}/g;

/** Names that a kernel may define as macros and another as functions. */
const macros = ["lctx_key_product", "lctx_keys_done", "lctx_write_keys", "LCTX_KEY"];

/** The text of a kernel's source without instructions, but for functions that hold nothing else. */
export function hopperOnHost(text: string): string {
  let host = text.replaceAll(
    product,
    (
      _,
      name: string,
      head: string,
      left: string,
      columns: string,
      type: string,
      first: string,
      second?: string,
    ) => {
      const registers = left !== "u64 a";
      // Of a left operand in registers only the right one's direction is printed.
      const [kind, across] = registers ? ["2", first] : [first, second!];
      const operands = registers ? "a0, a1, a2, a3" : "a";
      const shape = `${columns}, ${kind}, ${across === "1"}, ${type === "f16"}`;
      return `LCTX_DEVICE void ${name}(${head}) { host_product_of<${shape}>(d, ${operands}, b, keep); }`;
    },
  );
  host = host.replaceAll(wait, "LCTX_DEVICE void $1($2) { host_products_wait($3); }");
  for (const [instruction, call] of statements) host = host.replaceAll(instruction, call);
  return `${macros.map((name) => `#undef ${name}\n`).join("")}${host}`;
}
