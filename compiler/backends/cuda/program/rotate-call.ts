/** The call of rotary embeddings: phases in double, reduced before single precision, so far positions stay exact. */
import type { CudaArgument, CudaCall, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import { someExpr, type Expr } from "../../../ir/expr.ts";
import { isTokenAxis } from "../../../ir/graph-axes.ts";
import type { RotateNode } from "../../../ir/graph.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { printDouble } from "../print-double.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import {
  blocksOf,
  CallParts,
  extents,
  fixedExtent,
  long,
  pointer,
  threads,
  times,
  whole,
} from "./call-parts.ts";

/** Sizes and scalars that an expression reads, as parameters of its kernel. */
class Leaves {
  readonly #sizes: string[] = [];
  readonly #scalars: string[] = [];

  readonly size = (name: string): Fragment => {
    if (name === "step" || name === "query-length") throw new Error(`a rotation has no size ${name}`);
    const known = this.#sizes.indexOf(name);
    return identifier("size", known < 0 ? this.#sizes.push(name) - 1 : known);
  };

  readonly scalar = (name: string): Fragment => {
    const known = this.#scalars.indexOf(name);
    return c`(double)${identifier("scalar", known < 0 ? this.#scalars.push(name) - 1 : known)}`;
  };

  /** Declarations, each after a comma. */
  get parameters(): Fragment {
    return joinFragments(
      [
        ...this.#sizes.map((_, n) => c`, int ${identifier("size", n)}`),
        ...this.#scalars.map((_, n) => c`, float ${identifier("scalar", n)}`),
      ],
      c``,
    );
  }

  get arguments(): readonly CudaArgument[] {
    return [
      ...this.#sizes.map((name) => whole(name)),
      ...this.#scalars.map((value): CudaArgument => ({ kind: "f32", value })),
    ];
  }
}

const indexOf =
  (names: Readonly<Record<string, Fragment>>) =>
  (name: string): Fragment => {
    const text = names[name];
    if (text === undefined) throw new Error(`a rotation has no index ${name}`);
    return text;
  };

const readsHead = (e: Expr): boolean => someExpr(e, (part) => part.kind === "index" && part.name === "h");

/**
 * Cosine and sine of a phase, times a factor. The phase is brought into [−π/4, π/4] in double first, so the error is
 * that of single precision near zero: about 1e-7 up to phases of 1e8.
 */
const turnText: Fragment = c`
LCTX_DEVICE void lctx_turn(double phase, double factor, float &cosine, float &sine) {
  const double n = floor(phase * 0.63661977236758134 + 0.5);
  const float r = (float)((phase - n * 1.5707963267341256) - n * 6.0771005065061922e-11);
  const int quarter = (int)((long long)n & 3);
  const float s = sinf(r), k = cosf(r), f = (float)factor;
  const float odd = quarter & 1 ? k : s, even = quarter & 1 ? s : k;
  sine = (quarter & 2 ? -odd : odd) * f;
  cosine = ((quarter + 1) & 2 ? -even : even) * f;
}
`;

/** Buffers: operand, result. */
export function rotateCall(node: RotateNode): CudaCall {
  const token = node.axes.findIndex(({ name }) => name === "t");
  if (token < 0 || token > node.axes.length - 2)
    throw new Error(`${node.site}: a rotation needs a token axis before the rotated one`);
  const width = fixedExtent(node.axes.at(-1)!, node.site);
  const all = extents(node.axes);
  const [rows, tokens, heads]: LaunchSize[] = [
    times(...all.slice(0, token)),
    all[token]!,
    times(...all.slice(token + 1, -1)),
  ];
  const pairs = node.rotated / 2;
  /** Threads of a row: one a pair, then one each number that passes. */
  const slots = width - pairs;
  const parts = new CallParts(2);
  const law = parts.scratch(Math.max(pairs, 1) * 16);

  const lawLeaves = new Leaves();
  const ofPair = { ...lawLeaves, index: indexOf({ m: c`m` }) };
  const [angle, scale] = [printDouble(node.angle, ofPair), printDouble(node.scale, ofPair)];
  const lawText = c`${scalarPrelude("accurate")}
extern "C" __global__ void lctx_rotation_law(double *law${lawLeaves.parameters}) {
  const int m = blockIdx.x * 32 + threadIdx.x;
  if (m >= ${pairs}) return;
  law[m] = ${angle};
  law[${pairs} + m] = ${scale};
}
`;
  if (pairs > 0)
    parts.launch(
      { entry: c`lctx_rotation_law`, text: lawText },
      {
        label: `${node.site}: angles`,
        grid: [Math.ceil(pairs / 32), 1, 1],
        threads: 32,
        arguments: [pointer(law), ...lawLeaves.arguments],
      },
    );

  const placeLeaves = new Leaves();
  const place = printDouble(node.position, {
    ...placeLeaves,
    index: indexOf({ x: c`position`, h: c`head` }),
  });
  const turn = c`      lctx_turn((double)${place} * law[slot], law[${pairs} + slot], cosine, sine);\n`;
  const sign = node.inverse ? c`-` : c``;
  const [first, second] =
    node.layout === "half" ? [c`slot`, c`slot + ${pairs}`] : [c`2 * slot`, c`2 * slot + 1`];
  const text = c`${scalarPrelude("accurate")}${turnText}
extern "C" __global__ void __launch_bounds__(${threads}) lctx_rotate(const float *from, float *to, const double *law, long long rows,
    long long tokens, long long rows_of_token, long long start, long long inner${placeLeaves.parameters}) {
  const long long i = (long long)blockIdx.x * ${threads} + threadIdx.x, row = i / ${slots};
  const int slot = (int)(i - row * ${slots});
  if (row >= rows * tokens) return;
  const int position = (int)(start + row % tokens);
  float cosine = 1.0f, sine = 0.0f;
  for (long long h = 0; h < rows_of_token; h++) {
    const long long at = row * rows_of_token + h;
    const int head = (int)(at % inner);
    const float *own = from + at * ${width};
    float *turned = to + at * ${width};
    if (slot >= ${pairs}) {
      turned[slot + ${pairs}] = own[slot + ${pairs}];
      continue;
    }
    if (${readsHead(node.position) ? c`true` : c`h == 0`}) {
${turn}    }
    const float a = own[${first}], b = own[${second}], s = ${sign}sine;
    turned[${first}] = a * cosine - b * s;
    turned[${second}] = b * cosine + a * s;
    (void)head, (void)position;
  }
}
`;
  parts.launch(
    { entry: c`lctx_rotate`, text },
    {
      label: `${node.site}: rotation`,
      grid: [blocksOf(times(rows!, tokens!, slots), threads), 1, 1],
      arguments: [
        ...[0, 1, law].map(pointer),
        ...[rows!, tokens!, heads!, isTokenAxis(node.axes[token]!) ? "query-start" : 0, all.at(-2)!].map(
          long,
        ),
        ...placeLeaves.arguments,
      ],
    },
  );
  return parts.call;
}
