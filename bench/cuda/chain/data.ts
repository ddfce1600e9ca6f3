/** Numbers that a bench fills its tensors with, made on the GPU: normal ones, and queries and keys that know their places. */
import { c, type Fragment } from "../../../compiler/ir/kernel.ts";
import { elementText } from "../../../compiler/backends/cuda/element.ts";
import { scalarPrelude } from "../../../compiler/backends/cuda/scalar-prelude.ts";
import type { CudaDevice } from "../../../runtime/device/cuda/device.ts";
import type { CudaCall, LaunchSize } from "../../../runtime/device/cuda/launch.ts";
import type { CudaMemory } from "../../../runtime/device/cuda/memory.ts";

const common: Fragment = c`${scalarPrelude("accurate")}${elementText("bf16")}
LCTX_DEVICE unsigned mix(unsigned x) {
  x ^= x >> 16, x *= 0x7feb352du, x ^= x >> 15, x *= 0x846ca68bu;
  return x ^ x >> 16;
}
LCTX_DEVICE float normal(unsigned i, unsigned seed) {
  const unsigned a = mix(i ^ mix(seed)), b = mix(a + 0x9e3779b9u + i);
  return sqrtf(-2.0f * logf(((float)a + 1.0f) * 2.3283064e-10f)) * cosf((float)b * 1.4629181e-9f);
}
`;

function callOf(
  body: Fragment,
  element: "bf16" | "f32",
  ints: readonly LaunchSize[],
  names: Fragment,
  work: LaunchSize,
): CudaCall {
  const entry = c`lctx_bench_fill`;
  return {
    sources: [
      {
        entry: entry.text,
        architecture: "sm_80",
        text: c`${common}
extern "C" __global__ void ${entry}(${element === "f32" ? c`float` : c`lctx_element`} *to, float size, ${names}) {
  const long long i = (long long)blockIdx.x * 256 + threadIdx.x;
${body}}
`.text,
      },
    ],
    buffers: 1,
    scratch: [],
    launches: [
      {
        source: 0,
        label: "numbers of a bench",
        grid: [["ceil-div", work, 256], 1, 1],
        threads: 256,
        cluster: 1,
        sharedBytes: 0,
        arguments: [
          { kind: "pointer", buffer: 0 },
          { kind: "f32", value: "size" },
          ...ints.map((value) => ({ kind: "i32", value }) as const),
        ],
      },
    ],
  };
}

/** Fills memory with normal numbers of deviation `size`; at most 2^31 of them. */
export async function fillNormal(
  device: CudaDevice,
  memory: CudaMemory,
  element: "bf16" | "f32",
  size: number,
  seed: number,
): Promise<void> {
  const store = element === "f32" ? c`to[i] = x;` : c`to[i] = (lctx_element)(lctx_pack(x, 0.0f) & 0xffffu);`;
  const call = callOf(
    c`  if (i >= count) return;
  const float x = size * normal((unsigned)i, (unsigned)seed);
  ${store}
`,
    element,
    ["count", "seed"],
    c`int count, int seed`,
    "count",
  );
  const count = memory.byteLength / (element === "f32" ? 4 : 2);
  (await device.prepare(call)).bind([memory], { count, seed }).run({ size });
}

/** How queries and keys that know their places are made. */
export interface PlacedData {
  readonly heads: number;
  readonly length: number;
  /** Columns a head that draw every query, at places of no order. */
  readonly columns: number;
  readonly seed: number;
}

/** Dimensions of the head that turn with the position; the others say which columns draw. */
const turning = 112;

/**
 * [length, heads, 128] of bf16. A pair's logit (at scale 128^-½) is a sum of three: 12 · the mean of cos(θ_m (q − k)) with
 * θ_m = 0.01 · 10000^(−m / 56), as the slower dimensions of rotated equal vectors give it; 5.7 for keys of drawing
 * columns; noise of deviation about 0.5. So neighbouring diagonals weigh alike, and far ones stand out in bands.
 */
export async function fillPlaced(
  device: CudaDevice,
  memory: CudaMemory,
  side: "query" | "key",
  of: PlacedData,
): Promise<void> {
  const pairs = turning / 2;
  // Numbers whose products over all pairs, times the scale, are 12 and 5.7.
  const call = callOf(
    c`  const int u = (int)(i % 64), h = (int)(i / 64 % heads), t = (int)(i / 64 / heads);
  if (t >= length) return;
  float x = 0.0f, y = 0.0f;
  if (u < ${pairs}) {
    double sine, cosine;
    sincos((double)t * 0.01 * exp(-9.210340371976184 * u / ${pairs}.0), &sine, &cosine);
    x = size * (float)cosine, y = size * (float)sine;
  } else if (u == ${pairs}) {
    const unsigned chosen = mix((unsigned)(t * heads + h) * 2u + 77u) % (unsigned)(length / columns);
    x = is_key ? (chosen == 0u ? 8.0305f : 0.0f) : 8.0305f;
  }
  const unsigned place = (unsigned)i * 2u;
  x += 0.3f * normal(place, (unsigned)seed), y += 0.3f * normal(place + 1u, (unsigned)seed);
  ((unsigned *)to)[i] = lctx_pack(x, y);
`,
    "bf16",
    ["heads", "length", "columns", "is-key", "seed"],
    c`int heads, int length, int columns, int is_key, int seed`,
    ["*", "length", "heads", 64],
  );
  const size = Math.sqrt((12 * Math.sqrt(128)) / pairs);
  const { heads, length, columns, seed } = of;
  const sizes = {
    heads,
    length,
    columns,
    "is-key": side === "key" ? 1 : 0,
    seed: seed + (side === "key" ? 1 : 0),
  };
  (await device.prepare(call)).bind([memory], sizes).run({ size });
}
