/** Lets device functions of printed CUDA text run on the host: the words of CUDA that they use, as C++. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import koffi from "koffi";

const shim = `
#include <math.h>
#include <string.h>
#include <stdint.h>
#include <stdlib.h>
#define __device__
#define __forceinline__ inline
#define __restrict__
static inline float __int_as_float(int x) { float y; memcpy(&y, &x, 4); return y; }
static inline int __float2int_rz(float x) { return (int)x; }
static inline int __float2int_rd(float x) { return (int)floorf(x); }
static inline int __float2int_ru(float x) { return (int)ceilf(x); }
template <typename T> static inline T min(T a, T b) { return b < a ? b : a; }
template <typename T> static inline T max(T a, T b) { return a < b ? b : a; }
template <typename T> static inline T __ldg(const T *x) { return *x; }
static inline unsigned __brev(unsigned x) {
  unsigned y = 0;
  for (int i = 0; i < 32; i++) y |= (x >> i & 1u) << (31 - i);
  return y;
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int lctx_neg(int x) { return -x; }
`;

/** PTX has no host form: the accurate functions are printed without it. */
const withoutPtx = (text: string): string =>
  text.replaceAll(/LCTX_DEVICE \w+ lctx_(ex2|neg)\(\w+ x\) \{[\s\S]*?\n\}/g, "");

/** Compiles parts, each in a namespace of its own, and loads them; null where there is no C++ compiler. */
export function loadOnHost(prelude: string, parts: readonly string[]): ReturnType<typeof koffi.load> | null {
  const folder = mkdtempSync(join(tmpdir(), "lctx-host-"));
  const file = join(folder, "parts.cpp");
  const spaces = parts.map((part, n) => `namespace part_${n} {\n${part}\n}\n`);
  writeFileSync(file, shim + withoutPtx(prelude) + spaces.join(""));
  const library = join(folder, "parts.so");
  const run = spawnSync("g++", ["-std=c++17", "-O1", "-w", "-shared", "-fPIC", "-o", library, file], {
    encoding: "utf8",
  });
  if (run.error !== undefined) return null;
  if (run.status !== 0) throw new Error(run.stderr.slice(0, 4000));
  return koffi.load(library);
}
