/** Rows steps as CUDA calls: maps element by element, rows with folds by lanes of a warp or a block, sums over rows in two passes. */
import type {
  CudaArgument,
  CudaCall,
  CudaLaunch,
  LaunchSize,
} from "../../../../runtime/device/cuda/launch.ts";
import type { Size } from "../../../../runtime/program.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import type { Operand, RowsStep } from "../../../ir/schedule.ts";
import { scalarPrelude } from "../scalar-prelude.ts";
import { RowsBody } from "./rows-body.ts";
import { foldText, partColumns, partThreads, rowsThreads, sumPartsText, uniformText } from "./rows-text.ts";

/** A rows step as launches need it. */
export interface RowsCall {
  readonly call: CudaCall;
  /** Inputs, then stored results. */
  readonly buffers: readonly Operand[];
  readonly results: readonly Operand[];
}

/** Blocks that rows are summed over columns in, at most; fixed, so that sums are the same on every GPU. */
const mostSumBlocks = 256;
/** Rows that a group of lanes adds up, at least, where there are enough. */
const fewestSummedRows = 4;
/** Columns of a lane whose sums stay in registers. */
const mostRegisters = 8;

const lines = (parts: readonly Fragment[]): Fragment => joinFragments(parts, c``);
const folds = { sum: c`lctx_sum`, max: c`lctx_max`, min: c`lctx_min` } as const;
const starts = { sum: c`0.0f`, max: c`(-LCTX_INF)`, min: c`LCTX_INF` } as const;

interface Parameter {
  readonly text: Fragment;
  readonly argument: CudaArgument;
}

/** Extents of the axes: numbers are constants of the text, others arguments. */
function extents(step: RowsStep, widthType: "int" | "long long") {
  const names = new Map<string, Fragment>();
  const constants: Fragment[] = [];
  const parameters: Parameter[] = [];
  const add = (axis: string, name: Fragment, size: Size, wide: boolean): void => {
    names.set(axis, name);
    const type = wide ? c`long long` : c`int`;
    if (typeof size === "number") constants.push(c`  constexpr ${type} ${name} = ${size};\n`);
    else parameters.push({ text: c`${type} ${name}`, argument: { kind: wide ? "i64" : "i32", value: size } });
  };
  step.rowAxes.forEach(({ name, size }, n) => add(name, identifier("n", n), size, false));
  add(step.width.name, c`width`, step.width.size, widthType === "long long");
  return { names, constants: lines(constants), parameters };
}

/** `at_n`: where in each row axis a row is. */
function decode(step: RowsStep): Fragment {
  if (step.rowAxes.length === 0) return c`(void)row;\n`;
  const parts: Fragment[] = [c`long long rest = row;\n`];
  for (let n = step.rowAxes.length - 1; n >= 0; n--) {
    const [at, extent] = [identifier("at", n), identifier("n", n)];
    parts.push(
      n === 0
        ? c`const int ${at} = (int)rest;\n`
        : c`const int ${at} = (int)(rest % ${extent});\nrest /= ${extent};\n`,
      c`(void)${at};\n`,
    );
  }
  return lines(parts);
}

/** Pointers of inputs and of stored stages, in buffer order. */
function pointers(step: RowsStep): readonly Parameter[] {
  let buffer = 0;
  const inputs = step.inputs.map(({ dtype }, n): Parameter => {
    const type = dtype === "f32" ? c`float` : c`int`;
    return {
      text: c`const ${type} *__restrict__ ${identifier("in", n)}`,
      argument: { kind: "pointer", buffer: buffer++ },
    };
  });
  const outputs = step.stages.flatMap(({ store, dtype }, n): readonly Parameter[] => {
    if (store === null) return [];
    const type = dtype === "f32" ? c`float` : c`int`;
    return [
      {
        text: c`${type} *__restrict__ ${identifier("out", n)}`,
        argument: { kind: "pointer", buffer: buffer++ },
      },
    ];
  });
  return [...inputs, ...outputs];
}

function bodyParameters(body: RowsBody): readonly Parameter[] {
  return [
    ...body.sizes.map((value, n): Parameter => ({
      text: c`int ${identifier("size", n)}`,
      argument: { kind: "i32", value },
    })),
    ...body.scalars.map((value, n): Parameter => ({
      text: c`float ${identifier("scalar", n)}`,
      argument: { kind: "f32", value },
    })),
  ];
}

const rowsOf = (step: RowsStep): { readonly text: Fragment; readonly size: LaunchSize } => ({
  text: joinFragments([c`1ll`, ...step.rowAxes.map((_, n) => identifier("n", n))], c` * `),
  size: ["*", 1, ...step.rowAxes.map(({ size }) => size)],
});

/** True when four neighbouring elements of a row lie at aligned quadruples of everything that varies along it. */
function readsQuads(step: RowsStep): boolean {
  const { width } = step;
  if (typeof width.size !== "number" || width.size % 4 !== 0) return false;
  return step.inputs.every(
    ({ axes }) => axes.every(({ name }) => name !== width.name) || axes.at(-1)!.name === width.name,
  );
}

function kernel(body: RowsBody, threads: number, parameters: readonly Parameter[], text: Fragment): Fragment {
  return c`${scalarPrelude("accurate")}${foldText}${body.usesUniform ? uniformText : c``}
struct alignas(16) lctx_quad { float x[4]; };
struct alignas(16) lctx_quad_int { int x[4]; };
extern "C" __global__ void __launch_bounds__(${threads}) lctx_rows(${joinFragments(
    parameters.map((parameter) => parameter.text),
    c`, `,
  )}) {
${text}}
`;
}

/** Maps alone: one thread for one element, or for four neighbours. */
function mapCall(step: RowsStep): CudaCall {
  const quads = readsQuads(step);
  const { names, constants, parameters } = extents(step, "long long");
  const body = new RowsBody(step, names, quads);
  const [pass] = body.passes();
  const rows = rowsOf(step);
  const each = quads ? 4 : 1;
  const quadType = (dtype: "f32" | "i32"): Fragment => (dtype === "f32" ? c`lctx_quad` : c`lctx_quad_int`);
  const loads = step.inputs.map((input, n) => {
    if (!body.hasWidth(input)) return c``;
    const type = quadType(input.dtype);
    const at = body.isFlat(input) ? c`i` : body.offset(input, true);
    return c`const ${type} ${identifier("quad", n)} = *(const ${type} *)(${identifier("in", n)} + ${at});\n`;
  });
  const stores = pass!.values.map(({ stage }) => {
    const { dtype, accumulate } = step.stages[stage]!;
    const [type, kept, out] = [quadType(dtype), identifier("kept", stage), identifier("out", stage)];
    const add =
      accumulate === null
        ? c``
        : c`if (${body.scalar(accumulate)} != 0.0f) for (int e = 0; e < 4; e++) ${kept}.x[e] += ${out}[i + e];\n`;
    return c`${add}*(${type} *)(${out} + i) = ${kept};\n`;
  });
  const single = lines([
    pass!.element,
    ...pass!.values.map(({ stage, value }) => body.stored(stage, c`i`, value)),
  ]);
  const four = lines([
    ...loads,
    ...pass!.values.map(
      ({ stage }) => c`${quadType(step.stages[stage]!.dtype)} ${identifier("kept", stage)};\n`,
    ),
    c`{
const long long i0 = i, j0 = j;
#pragma unroll
for (int e = 0; e < 4; e++) {
const long long i = i0 + e, j = j0 + e;
(void)i, (void)j;
${pass!.element}`,
    ...pass!.values.map(({ stage, value }) => c`${identifier("kept", stage)}.x[e] = ${value};\n`),
    c`}
}
`,
    ...stores,
  ]);
  const text = c`${constants}  const long long rows = ${rows.text};
  const long long i = ((long long)blockIdx.x * ${rowsThreads} + threadIdx.x) * ${each};
  if (i >= rows * width) return;
  const long long row = i / width, j = i - row * width;
  (void)j;
${decode(step)}${body.rowInputs()}${quads ? four : single}`;
  const all = [...pointers(step), ...parameters, ...bodyParameters(body)];
  const count: LaunchSize = ["*", rows.size, step.width.size];
  return {
    sources: [{ entry: "lctx_rows", text: kernel(body, rowsThreads, all, text).text, architecture: "sm_80" }],
    buffers: pointers(step).length,
    scratch: [],
    launches: [
      {
        source: 0,
        label: "map",
        grid: [["ceil-div", count, rowsThreads * each], 1, 1],
        threads: rowsThreads,
        cluster: 1,
        sharedBytes: 0,
        arguments: all.map(({ argument }) => argument),
      },
    ],
  };
}

interface Lanes {
  /** Threads of a block, and of these on one row: a part of a warp, or the block. */
  readonly threads: number;
  readonly lanes: number;
}

/** Lanes that a row is worth. */
function lanesOf(step: RowsStep, mostOfWarp: number): Lanes {
  const { size } = step.width;
  if (step.rowAxes.every((axis) => axis.size === 1)) return { threads: 1024, lanes: 1024 };
  if (typeof size !== "number" || size > mostOfWarp) return { threads: rowsThreads, lanes: rowsThreads };
  let lanes = 1;
  while (lanes < 32 && lanes < size) lanes *= 2;
  return { threads: rowsThreads, lanes };
}

/** Rows with folds, row maps or sums over rows. */
function foldCall(step: RowsStep): CudaCall {
  const sums = step.stages.flatMap((stage, n) => (stage.kind === "column-sum" ? [n] : []));
  const { threads, lanes } = lanesOf(step, sums.length > 0 ? 32 * mostRegisters : 512);
  const groups = threads / lanes;
  const { names, constants, parameters } = extents(step, "int");
  const body = new RowsBody(step, names, false);
  const passes = body.passes();
  const width = step.width.size;
  const turns = typeof width === "number" ? Math.ceil(width / lanes) : null;
  const inRegisters = turns !== null && turns <= mostRegisters;
  const loop = (inner: Fragment): Fragment =>
    turns === null
      ? c`for (int j = lane; j < width; j += ${lanes}) {
const long long i = row * width + j;
(void)i;
${inner}}
`
      : c`#pragma unroll ${Math.min(turns, mostRegisters)}
for (int turn = 0; turn < ${turns}; turn++) {
const int j = lane + turn * ${lanes};
const long long i = row * width + j;
(void)i;
if (j < width) {
${inner}}
}
`;
  const passText = passes.map(({ before, element, values }) => {
    if (values.length === 0) return before;
    const reduces = values.filter(({ stage }) => step.stages[stage]!.kind === "reduce");
    const uses = values.map(({ stage, value }) => {
      const { kind, op } = step.stages[stage]!;
      if (kind === "map") return c`if (live) ${body.stored(stage, c`i`, value)}`;
      if (kind === "reduce") {
        const acc = identifier("acc", stage);
        return c`${acc} = ${folds[op!]}::of(${acc}, ${value});\n`;
      }
      return inRegisters
        ? c`if (live) ${identifier("sum", stage)}[turn] += ${value};\n`
        : c`if (live) ${identifier("own", stage)}[j] += ${value};\n`;
    });
    const finish = reduces.map(({ stage }) => {
      const [known, acc] = [identifier("value", stage), identifier("acc", stage)];
      const { op, store } = step.stages[stage]!;
      const kept = store === null ? c`` : c`if (live && lane == 0) ${body.stored(stage, c`row`, known)}`;
      return c`const float ${known} = lctx_fold<${folds[op!]}, ${lanes}>(${acc}, shared);\n(void)${known};\n${kept}`;
    });
    const accumulators = reduces.map(
      ({ stage }) => c`float ${identifier("acc", stage)} = ${starts[step.stages[stage]!.op!]};\n`,
    );
    return lines([before, ...accumulators, loop(lines([element, ...uses])), ...finish]);
  });
  const rows = rowsOf(step);
  const each = (inner: (stage: number) => Fragment): Fragment => lines(sums.map(inner));
  const opening =
    sums.length === 0
      ? c`const long long first = (long long)blockIdx.x * ${groups}, last = min(first + ${groups}, rows);\n`
      : c`const long long share = (rows + gridDim.x - 1) / gridDim.x;
const long long first = blockIdx.x * share, last = min(first + share, rows);
const long long part = ((long long)blockIdx.x * ${groups} + group) * width;
${each((n) =>
  inRegisters
    ? c`float ${identifier("sum", n)}[${turns!}];\nfor (int turn = 0; turn < ${turns!}; turn++) ${identifier("sum", n)}[turn] = 0.0f;\n`
    : c`float *const ${identifier("own", n)} = ${identifier("part", n)} + part;\nfor (int j = lane; j < width; j += ${lanes}) ${identifier("own", n)}[j] = 0.0f;\n`,
)}`;
  const closing = inRegisters
    ? each(
        (n) => c`#pragma unroll
for (int turn = 0; turn < ${turns}; turn++) if (lane + turn * ${lanes} < width) ${identifier("part", n)}[part + lane + turn * ${lanes}] = ${identifier("sum", n)}[turn];
`,
      )
    : c``;
  const text = c`${constants}  extern __shared__ __align__(16) unsigned char lctx_memory[];
  float *const shared = (float *)lctx_memory;
  (void)shared;
  const long long rows = ${rows.text};
  const int lane = threadIdx.x % ${lanes}, group = threadIdx.x / ${lanes};
${opening}for (long long base = first; base < last; base += ${groups}) {
const bool live = base + group < last;
const long long row = live ? base + group : last - 1;
${decode(step)}${body.rowInputs()}${lines(passText)}}
${closing}`;
  const outputs = pointers(step);
  const parts = sums.map((n, at): Parameter => ({
    text: c`float *__restrict__ ${identifier("part", n)}`,
    argument: { kind: "pointer", buffer: outputs.length + at },
  }));
  const all = [...outputs, ...parts, ...parameters, ...bodyParameters(body)];
  const blocks: LaunchSize =
    sums.length === 0
      ? ["ceil-div", rows.size, groups]
      : ["max", 1, ["min", mostSumBlocks, ["ceil-div", rows.size, groups * fewestSummedRows]]];
  const count: LaunchSize = ["*", blocks, groups];
  const stored = step.stages.flatMap(({ store }, n) => (store === null ? [] : [n]));
  const finishes = sums.flatMap((n, at): readonly CudaLaunch[] => {
    const { store, accumulate } = step.stages[n]!;
    if (store === null) return [];
    return [
      {
        source: 1,
        label: "column-sum",
        grid: [["ceil-div", width, partColumns], 1, 1],
        threads: partThreads,
        cluster: 1,
        sharedBytes: 4 * partThreads,
        arguments: [
          { kind: "pointer", buffer: outputs.length + at },
          { kind: "pointer", buffer: step.inputs.length + stored.indexOf(n) },
          { kind: "i32", value: count },
          { kind: "i32", value: width },
          { kind: "f32", value: accumulate ?? 0 },
        ],
      },
    ];
  });
  return {
    sources: [
      { entry: "lctx_rows", text: kernel(body, threads, all, text).text, architecture: "sm_80" },
      ...(finishes.length === 0
        ? []
        : [{ entry: "lctx_sum_parts", text: sumPartsText.text, architecture: "sm_80" } as const]),
    ],
    buffers: outputs.length,
    scratch: sums.map(() => ({ bytes: ["*", 4, count, width], zero: false })),
    launches: [
      {
        source: 0,
        label: "rows",
        grid: [blocks, 1, 1],
        threads,
        cluster: 1,
        sharedBytes: 128,
        arguments: all.map(({ argument }) => argument),
      },
      ...finishes,
    ],
  };
}

/** The call of a step; its buffers are the inputs, then the stored results. */
export function rowsCall(step: RowsStep): RowsCall {
  const stored = step.stages.flatMap((stage) => (stage.store === null ? [] : [stage.store]));
  const call = step.stages.every(({ kind }) => kind === "map") ? mapCall(step) : foldCall(step);
  return { call, buffers: step.inputs.map(({ operand }) => operand), results: stored };
}
