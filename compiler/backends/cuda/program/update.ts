/** The optimizer as CUDA calls: the norm of all gradients in double precision, then clip and update, many parameters a launch. */
import type {
  CudaArgument,
  CudaCall,
  CudaLaunch,
  CudaSource,
} from "../../../../runtime/device/cuda/launch.ts";
import type { Expr } from "../../../ir/expr.ts";
import type { UpdateRule } from "../../../ir/graph.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { cudaPrinter } from "../print-expr.ts";
import { scalarPrelude } from "../scalar-prelude.ts";

const threads = 256;
/** Elements that one block sums or updates. */
const blockElements = 2048;
/** Parameters of one launch: each takes a few pointers and a number of its arguments. */
const mostParameters = 32;

const lines = (parts: readonly Fragment[]): Fragment => joinFragments(parts, c``);
const list = (parts: readonly Fragment[]): Fragment => joinFragments(parts, c`, `);
const pointer = (buffer: number): CudaArgument => ({ kind: "pointer", buffer });
const whole = (value: number): CudaArgument => ({ kind: "i32", value });
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);
const blocksOf = (count: number): number => Math.ceil(count / blockElements);

interface Group {
  /** Indices of its parameters. */
  readonly members: readonly number[];
  readonly blocks: number;
  /** Blocks of the groups before. */
  readonly before: number;
}

function groupsOf(counts: readonly number[]): readonly Group[] {
  const groups: Group[] = [];
  let before = 0;
  for (let first = 0; first < counts.length; first += mostParameters) {
    const members = range(Math.min(mostParameters, counts.length - first)).map((n) => first + n);
    const blocks = members.reduce((sum, n) => sum + blocksOf(counts[n]!), 0);
    groups.push({ members, blocks, before });
    before += blocks;
  }
  return groups;
}

/** Finds a block's parameter: sets `names` to its pointers, and the block's first and last element. */
const findText = (
  members: number,
  names: readonly Fragment[],
): Fragment => c`  int block = blockIdx.x, count = 0;
  bool found = false;
  ${lines(names.map((name) => c`float *${name} = nullptr; `))}
${lines(
  range(members).map((n) => {
    const own = identifier("count", n);
    return c`  if (!found) {
    const int blocks = (${own} + ${blockElements - 1}) / ${blockElements};
    found = block < blocks;
    if (found) count = ${own}, ${list(names.map((name) => c`${name} = ${name}_${n}`))};
    else block -= blocks;
  }
`;
  }),
)}  const int first = block * ${blockElements}, last = min(count, first + ${blockElements});
`;

const parameterText = (members: number, names: readonly Fragment[]): Fragment =>
  list(
    range(members).flatMap((n) => [
      ...names.map((name) => c`float *${name}_${n}`),
      c`int ${identifier("count", n)}`,
    ]),
  );

/** Sum of all threads' numbers, by halves: the same order every time. */
const sumText = c`
static __device__ double lctx_block_sum(double x, double *shared) {
  shared[threadIdx.x] = x;
  __syncthreads();
  for (int half = ${threads / 2}; half > 0; half /= 2) {
    if ((int)threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  return shared[0];
}
`;

function squaresSource(members: number): CudaSource {
  const text = c`${sumText}
extern "C" __global__ void __launch_bounds__(${threads}) lctx_squares(double *sums, ${parameterText(members, [c`gradient`])}) {
  extern __shared__ __align__(16) unsigned char lctx_memory[];
${findText(members, [c`gradient`])}  double sum = 0.0;
  for (int i = first + threadIdx.x; i < last; i += ${threads}) sum += (double)gradient[i] * gradient[i];
  sum = lctx_block_sum(sum, (double *)lctx_memory);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
`;
  return { entry: "lctx_squares", text: text.text, architecture: "sm_80" };
}

/** Squares of finite floats have a finite sum in double precision, so any other sum tells of a gradient that is not finite. */
const normSource: CudaSource = {
  entry: "lctx_norm",
  architecture: "sm_80",
  text: c`${scalarPrelude("accurate")}${sumText}
extern "C" __global__ void __launch_bounds__(${threads}) lctx_norm(const double *sums, float *norm, int count) {
  extern __shared__ __align__(16) unsigned char lctx_memory[];
  double sum = 0.0;
  for (int i = threadIdx.x; i < count; i += ${threads}) sum += sums[i];
  sum = lctx_block_sum(sum, (double *)lctx_memory);
  if (threadIdx.x == 0) norm[0] = sum - sum == 0.0 ? (float)sqrt(sum) : LCTX_NAN;
}
`.text,
};

/** Buffers: norm [1], then gradients of `counts` elements each. The norm is NaN where a gradient is not finite. */
export function gradientNormCall(counts: readonly number[]): CudaCall {
  const groups = groupsOf(counts);
  const sources: CudaSource[] = [];
  const sums = counts.length + 1;
  const shape = { threads, cluster: 1, sharedBytes: 8 * threads } as const;
  const launches = groups.map(({ members, blocks, before }): CudaLaunch => {
    const source = sources.push(squaresSource(members.length)) - 1;
    return {
      ...shape,
      source,
      label: "sums of squares",
      grid: [blocks, 1, 1],
      arguments: [
        { kind: "pointer", buffer: sums, offset: 8 * before },
        ...members.flatMap((n) => [pointer(1 + n), whole(counts[n]!)]),
      ],
    };
  });
  const all = groups.reduce((sum, { blocks }) => sum + blocks, 0);
  const source = sources.push(normSource) - 1;
  return {
    sources,
    buffers: counts.length + 1,
    scratch: [{ bytes: 8 * all, zero: false }],
    launches: [
      ...launches,
      {
        ...shape,
        source,
        label: "norm",
        grid: [1, 1, 1],
        arguments: [pointer(sums), pointer(0), whole(all)],
      },
    ],
  };
}

const nowhere = (what: string) => (): never => {
  throw new Error(`an update rule reads ${what}`);
};

/** Buffers: norm [1], then for each parameter: weight, gradient, states in order. Changes nothing where the norm is NaN. */
export function updateCall(rule: UpdateRule, counts: readonly number[]): CudaCall {
  const scalars: string[] = [];
  const scalarText = (name: string): Fragment => {
    let n = scalars.indexOf(name);
    if (n < 0) n = scalars.push(name) - 1;
    return identifier("scalar", n);
  };
  const states = rule.states.length;
  const printer = cudaPrinter(
    {
      index: nowhere("an index"),
      size: (name) => {
        if (name !== "step") throw new Error(`an update rule reads the size ${name}`);
        return c`((int)${scalarText("step")})`;
      },
      scalar: scalarText,
      logit: nowhere("a logit"),
      load: nowhere("a buffer"),
      set: nowhere("a set"),
      uniform: nowhere("random numbers"),
      operand: (n) => {
        if (n >= states + 2) throw new Error(`an update rule reads operand ${n}`);
        return n === 1 ? c`g` : identifier("old", n === 0 ? 0 : n - 1);
      },
    },
    "v",
  );
  const bodies: readonly Expr[] = [rule.weight, ...rule.states.map(({ value }) => value)];
  const values = bodies.map((body) => printer.print(body));
  const statements = printer.take();
  // In memory: weight, gradient, states.
  const names = range(states + 2).map((n) =>
    n === 1 ? c`at_gradient` : identifier("at", n === 0 ? 0 : n - 1),
  );
  const slot = (n: number): Fragment => c`${identifier("at", n)}[i]`;
  const source = (members: number): CudaSource => {
    const given = [
      c`const float *norm`,
      parameterText(members, names),
      c`float clip`,
      ...scalars.map((_, n) => c`float ${identifier("scalar", n)}`),
    ];
    const text = c`${scalarPrelude("accurate")}
extern "C" __global__ void __launch_bounds__(${threads}) lctx_update(${list(given)}) {
  const float length = *norm;
  if (length != length) return;
  const float factor = length > clip ? clip / length : 1.0f;
${findText(members, names)}#pragma unroll 2
  for (int i = first + threadIdx.x; i < last; i += ${threads}) {
    const float g = at_gradient[i] * factor;
    (void)g;
${lines(bodies.map((_, n) => c`    const float ${identifier("old", n)} = ${slot(n)};\n    (void)${identifier("old", n)};\n`))}${statements}${lines(
      values.map((value, n) => c`    ${slot(n)} = ${value};\n`),
    )}  }
}
`;
    return { entry: "lctx_update", text: text.text, architecture: "sm_80" };
  };
  const sources: CudaSource[] = [];
  const launches = groupsOf(counts).map(({ members, blocks }): CudaLaunch => {
    const own = sources.push(source(members.length)) - 1;
    return {
      source: own,
      label: "update",
      grid: [blocks, 1, 1],
      threads,
      cluster: 1,
      sharedBytes: 0,
      arguments: [
        pointer(0),
        ...members.flatMap((n) => [
          ...range(states + 2).map((each) => pointer(1 + n * (states + 2) + each)),
          whole(counts[n]!),
        ]),
        { kind: "f32", value: "clip" },
        ...scalars.map((value) => ({ kind: "f32", value }) as const),
      ],
    };
  });
  return { sources, buffers: 1 + counts.length * (states + 2), scratch: [], launches };
}
