/** Kernel of rotary embeddings: phases in double, reduced before single precision, so far positions stay exact. */
import { isTokenAxis } from "../../ir/graph-axes.ts";
import type { Size } from "../../../runtime/program.ts";
import { someExpr, type Expr } from "../../ir/expr.ts";
import type { RotateNode } from "../../ir/graph.ts";
import { c, type Fragment } from "../../ir/kernel.ts";
import { namedKernel } from "./kernel-names.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { exprPrinter, type ExprLeaves, type PrintedValue } from "./print-expr.ts";
import { axisExtent } from "../../ir/axis-extent.ts";
import { fixedExtent, times } from "./sizes.ts";

/**
 * Cosine and sine of position * angle[m] for all pairs of a row. The double phase is brought into [-π/4, π/4] first, so
 * the error is that of single precision near zero: about 1e-7 up to positions of 1e8.
 */
export const rotateText: Fragment = c`
#ifndef LCTX_ROTATE
#define LCTX_ROTATE
static __attribute__((noinline, unused)) void lctx_turns(double position, const double *angle, const double *scale,
                                                         int64_t pairs, float *cosine, float *sine) {
  for (int64_t m = 0; m < pairs; m += LCTX_LANES) {
    vf r, f;
    vi quarter;
    for (int i = 0; i < LCTX_LANES; i++) {
      const double phase = position * angle[m + i];
      const double turn = phase * 0.63661977236758134;
      const int64_t n = turn < 0 ? (int64_t)(turn - 0.5) : (int64_t)(turn + 0.5);
      const double k = (double)n;
      r[i] = (float)((phase - k * 1.5707963267341256) - k * 6.0771005065061922e-11);
      quarter[i] = (int32_t)(n & 3);
      f[i] = (float)scale[m + i];
    }
    const vi odd = (quarter & 1) != 0;
    const vf s = lctx_wave_v(r, odd), k = lctx_wave_v(r, ~odd);
    *(vf *)(sine + m) = (vf)((vi)s ^ lctx_shift_left_v(quarter & 2, 30)) * f;
    *(vf *)(cosine + m) = (vf)((vi)k ^ lctx_shift_left_v((quarter + 1) & 2, 30)) * f;
  }
}
#endif
`;

function rotatePrinter(word: string, scalars: string[], sizes: Size[], index: (name: string) => Fragment) {
  const whole = (text: Fragment): PrintedValue => ({ text, type: "int", form: "double", scope: 0 });
  const refuse = (what: string) => (): never => {
    throw new Error(`a rotation has no ${what}`);
  };
  const leaves: ExprLeaves = {
    index: (name) => whole(index(name)),
    size: (name) => {
      if (name === "step" || name === "query-length") throw new Error(`a rotation has no size ${name}`);
      let at = sizes.indexOf(name as Size);
      if (at < 0) at = sizes.push(name as Size) - 1;
      return whole(c`x->sizes[${at}]`);
    },
    scalar: (name) => {
      let at = scalars.indexOf(name);
      if (at < 0) at = scalars.push(name) - 1;
      return { text: c`((double)x->scalars[${at}])`, type: "real", form: "double", scope: 0 };
    },
    logit: refuse("logit"),
    operand: refuse("operands"),
    load: refuse("tables"),
    uniform: refuse("random numbers"),
  };
  return exprPrinter(leaves, word, "double");
}

const known = (name: string, names: Readonly<Record<string, Fragment>>): Fragment => {
  const text = names[name];
  if (text === undefined) throw new Error(`a rotation has no index ${name}`);
  return text;
};

const readsHead = (e: Expr): boolean => someExpr(e, (part) => part.kind === "index" && part.name === "h");

/** Buffers: operand, result, scratch. */
export function rotateKernel(node: RotateNode): NodeKernel {
  const names = node.axes.map((axis) => axis.name);
  const token = names.indexOf("t");
  const width = fixedExtent(node.axes.at(-1)!, node.site);
  if (token < 0 || token > node.axes.length - 2)
    throw new Error(`${node.site}: a rotation needs a token axis before the rotated one`);
  const extents = node.axes.map((axis) => axisExtent(axis.size));
  const rows = times(...extents.slice(0, token));
  const heads = times(...extents.slice(token + 1, -1));
  const pairs = node.rotated / 2;
  const room = Math.ceil(pairs / 16) * 16;
  const scalars: string[] = [];
  const sizes: Size[] = [rows, extents[token]!, heads, isTokenAxis(node.axes[token]!) ? "query-start" : 0];
  const perHead = readsHead(node.position);

  const law = rotatePrinter("law", scalars, sizes, (name) => known(name, { m: c`m` }));
  const angle = law.print(node.angle);
  const scale = law.print(node.scale);
  const lawText = law.take(0);
  const place = rotatePrinter("place", scalars, sizes, (name) => known(name, { x: c`position`, h: c`h` }));
  const position = place.print(node.position);
  const turns = c`${place.take(0)}          lctx_turns((double)${position.text}, x->angle, x->scale, ${pairs}, cosine, sine);\n`;
  const sign = node.inverse ? c`-` : c``;
  const [first, second] = node.layout === "half" ? [c`i`, c`i + ${pairs}`] : [c`2 * i`, c`2 * i + 1`];

  const kernel = namedKernel(
    "rotate",
    [],
    (entry) => c`${rotateText}
typedef struct {
  const float *from;
  float *to;
  const int64_t *sizes;
  const float *scalars;
  double *angle, *scale;
} call_${entry};
/* One item is a block of tokens. */
static void body_${entry}(void *context, int64_t item, int thread) {
  const call_${entry} *x = context;
  const int64_t tokens = x->sizes[1], heads = x->sizes[2], all = x->sizes[0] * tokens;
  float cosine[${Math.max(room, 16)}] __attribute__((aligned(64))), sine[${Math.max(room, 16)}] __attribute__((aligned(64)));
  (void)thread;
  for (int64_t row = item * 32; row < all && row < item * 32 + 32; row++) {
    const int64_t position = x->sizes[3] + row % tokens;
    (void)position;
    for (int64_t h = 0; h < heads; h++) {
      if (${perHead ? c`1` : c`h == 0`}) {
${turns}      }
      const float *from = x->from + (row * heads + h) * ${width};
      float *to = x->to + (row * heads + h) * ${width};
      for (int64_t i = 0; i < ${pairs}; i++) {
        const float a = from[${first}], b = from[${second}], k = cosine[i], s = ${sign}sine[i];
        to[${first}] = a * k - b * s;
        to[${second}] = b * k + a * s;
      }
      for (int64_t i = ${node.rotated}; i < ${width}; i++) to[i] = from[i];
    }
  }
}
void ${entry}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  call_${entry} call = {buffers[0], buffers[1], sizes, scalars, buffers[2], (double *)buffers[2] + ${room}};
  const call_${entry} *x = &call;
  (void)x;
  for (int64_t m = 0; m < ${room}; m++) x->angle[m] = x->scale[m] = 0.0;
  for (int64_t m = 0; m < ${pairs}; m++) {
${lawText}    x->angle[m] = (double)${angle.text};
    x->scale[m] = (double)${scale.text};
  }
  lctx_parallel((sizes[0] * sizes[1] + 31) / 32, body_${entry}, &call);
}
`,
  );
  return { kernel, sizes, scalars, scratch: { elements: Math.max(4 * room, 16) } };
}
