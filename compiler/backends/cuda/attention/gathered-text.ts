/** Device text around attention over gathered keys: members of a set as a list, their rows packed, two outputs joined by their log-sum-exps. */
import { c, type Fragment } from "../../../ir/kernel.ts";
import { elementBytes, elementText, type AttentionElement } from "../element.ts";
import { scalarPrelude } from "../scalar-prelude.ts";

export const listThreads = 256;
export const rowThreads = 256;

/** Elements that one thread copies or joins: sixteen bytes where rows are whole numbers of them. */
export const unitOf = (element: AttentionElement, width: number): number => {
  const unit = 16 / elementBytes(element);
  return width % unit === 0 ? unit : 1;
};

/** `(words, places, count, room)`: the members of each row's `count` words in order, then −1. Grid: rows. */
export const listText = (entry: Fragment): Fragment => c`${scalarPrelude("accurate")}
extern "C" __global__ void __launch_bounds__(${listThreads}) ${entry}(const int *words, int *places, int count, int room) {
  __shared__ int totals[${listThreads}];
  const int own = (count + ${listThreads - 1}) / ${listThreads}, first = threadIdx.x * own, end = min(first + own, count);
  words += (long long)blockIdx.x * count, places += (long long)blockIdx.x * room;
  int sum = 0;
  for (int w = first; w < end; w++) sum += __popc((unsigned)words[w]);
  totals[threadIdx.x] = sum;
  __syncthreads();
  int at = 0, all = 0;
  for (int i = 0; i < ${listThreads}; i++) {
    at += i < (int)threadIdx.x ? totals[i] : 0;
    all += totals[i];
  }
  for (int w = first; w < end; w++)
    for (unsigned left = (unsigned)words[w]; left != 0u; left &= left - 1u) {
      if (at < room) places[at] = 32 * w + __ffs((int)left) - 1;
      at++;
    }
  for (int i = all + threadIdx.x; i < room; i += ${listThreads}) places[i] = -1;
}
`;

/**
 * `(places, from, to, total, keys, room)`: rows of [b, keys, groups, width] at the places of [b, lists, room], packed as
 * [b, room, heads, width]; zeros where there is no place.
 */
export const packText = (
  entry: Fragment,
  element: AttentionElement,
  of: { readonly heads: number; readonly groups: number; readonly lists: number; readonly width: number },
): Fragment => c`${scalarPrelude("accurate")}${elementText(element)}
constexpr int kUnit = ${unitOf(element, of.width)}, kUnits = ${of.width} / kUnit, kHeads = ${of.heads}, kGroups = ${of.groups}, kLists = ${of.lists};
extern "C" __global__ void __launch_bounds__(${rowThreads}) ${entry}(const int *places, const lctx_element *from, lctx_element *to, int total, int keys, int room) {
  const int i = blockIdx.x * ${rowThreads} + threadIdx.x;
  if (i >= total) return;
  const int u = i % kUnits, h = i / kUnits % kHeads, at = i / kUnits / kHeads % room, b = i / kUnits / kHeads / room;
  const int place = places[(b * kLists + (kLists == 1 ? 0 : h)) * room + at];
  const lctx_element *row = from + (((long long)b * keys + max(place, 0)) * kGroups + h / (kHeads / kGroups)) * ${of.width} + u * kUnit;
  lctx_element *own = to + (long long)i * kUnit;
  if (kUnit > 1) {
    const float4 none = {0.0f, 0.0f, 0.0f, 0.0f};
    *(float4 *)own = place < 0 ? none : *(const float4 *)row;
  } else own[0] = place < 0 ? (lctx_element)0 : row[0];
}
`;

/** `(output, lse, first, other, second, rows)`: output takes its share of both outputs, lse what both sum to; a thread a unit. */
export const joinText = (
  entry: Fragment,
  element: AttentionElement,
  width: number,
): Fragment => c`${scalarPrelude("accurate")}${elementText(element)}
constexpr int kUnit = ${unitOf(element, width)}, kUnits = ${width} / kUnit;
LCTX_DEVICE lctx_element lctx_rounded(float x) { return ${element === "f32" ? c`x` : c`(lctx_element)(lctx_pack(x, 0.0f) & 0xffffu)`}; }
extern "C" __global__ void __launch_bounds__(${rowThreads}) ${entry}(lctx_element *output, float *lse, const float *first, const lctx_element *other, const float *second, int rows) {
  const long long i = (long long)blockIdx.x * ${rowThreads} + threadIdx.x, row = i / kUnits;
  if (row >= rows) return;
  const float a = first[row], b = second[row], most = fmaxf(a, b);
  const bool some = most > -LCTX_INF;
  const float of_a = some ? lctx_exp(a - most) : 0.0f, of_b = some ? lctx_exp(b - most) : 0.0f, total = of_a + of_b;
  if (i % kUnits == 0) lse[row] = some ? most + lctx_log(total) : -LCTX_INF;
  if (of_b == 0.0f) return;
  const float share_a = of_a / total, share_b = of_b / total;
  lctx_element *to = output + i * kUnit;
  const lctx_element *from = other + i * kUnit;
  if constexpr (kUnit > 1) {
    union { float4 all; lctx_element each[kUnit]; } x, y;
    x.all = *(const float4 *)to, y.all = *(const float4 *)from;
#pragma unroll
    for (int u = 0; u < kUnit; u++) x.each[u] = lctx_rounded(share_a * lctx_real(x.each[u]) + share_b * lctx_real(y.each[u]));
    *(float4 *)to = x.all;
  } else to[0] = lctx_rounded(share_a * lctx_real(to[0]) + share_b * lctx_real(from[0]));
}
`;
