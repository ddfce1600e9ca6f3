/** Kernels of rows steps: lays out buffers, sizes and strides of a step and prints its entry point. */
import { c, identifier, joinFragments, type Fragment, type Kernel } from "../../ir/kernel.ts";
import type { Operand, RowsInput, RowsStep } from "../../ir/schedule.ts";
import type { Size } from "../../../runtime/program.ts";
import { RowsBody } from "./rows-body.ts";

/** Rows are summed over columns in at most this many blocks, whatever the number of threads: sums are the same on every machine. */
export const columnBlocks = 32;

/** A rows step as launches need it. */
export interface RowsKernel {
  readonly kernel: Kernel;
  /** Inputs, then stored results, then one scratch buffer for each column sum. */
  readonly buffers: readonly Operand[];
  readonly results: readonly Operand[];
  readonly sizes: readonly Size[];
  readonly scalars: readonly (number | string)[];
  /** Shapes of the scratch buffers. */
  readonly scratch: readonly (readonly Size[])[];
}

const lines = (parts: readonly Fragment[]): Fragment => joinFragments(parts, c``);

/** Elements between neighbours along each axis of an input, as products of the size names. */
function strides(input: RowsInput, sizeNames: ReadonlyMap<string, Fragment>): ReadonlyMap<string, Fragment> {
  const found = new Map<string, Fragment>();
  let stride: Fragment = c`1`;
  for (const axis of [...input.axes].reverse()) {
    found.set(axis.name, stride);
    stride = c`${stride} * ${sizeNames.get(axis.name)!}`;
  }
  return found;
}

/**
 * The kernel of a step. `entry` numbers the kernel; steps that differ only in tensors, sizes and scalar names share text
 * apart from that number, and the key says so.
 */
export function rowsKernel(step: RowsStep, entry: number): RowsKernel {
  const sizeNames = new Map<string, Fragment>();
  step.rowAxes.forEach((axis, n) => sizeNames.set(axis.name, identifier("n", n)));
  sizeNames.set(step.width.name, c`width`);
  const inputStrides = step.inputs.map((input) => strides(input, sizeNames));
  const body = new RowsBody(step, inputStrides);
  const name = identifier("rows", entry);
  const stored = step.stages.flatMap((stage, n) => (stage.store === null ? [] : [n]));
  const sums = step.stages.flatMap((stage, n) => (stage.kind === "column-sum" ? [n] : []));
  const mapsOnly = step.stages.every((stage) => stage.kind === "map");
  const printed = body.print();
  const finish = lines(
    sums.map((n) => {
      const store = step.stages[n]!.store;
      if (store === null) return c``;
      const old = body.accumulated(n, c`c.${identifier("out", n)}[j]`, c`c.`);
      return c`  for (int64_t j = 0; j < width; j++) {
    float sum = ${old};
    for (int64_t item = 0; item < items; item++) sum += c.${identifier("part", n)}[item * width + j];
    c.${identifier("out", n)}[j] = sum;
  }
`;
    }),
  );

  const fields: Fragment[] = [];
  const values: Fragment[] = [];
  const field = (type: Fragment, label: Fragment, value: Fragment): void => {
    fields.push(c`  ${type}${label};\n`);
    values.push(c`.${label} = ${value}, `);
  };
  let buffer = 0;
  step.inputs.forEach((input, n) => {
    field(
      input.dtype === "f32" ? c`const float *` : c`const int32_t *`,
      identifier("in", n),
      c`buffers[${buffer++}]`,
    );
  });
  for (const n of stored) {
    const type = step.stages[n]!.dtype === "f32" ? c`float *` : c`int32_t *`;
    field(type, identifier("out", n), c`buffers[${buffer++}]`);
  }
  for (const n of sums) field(c`float *`, identifier("part", n), c`buffers[${buffer++}]`);
  step.rowAxes.forEach((_, n) => field(c`int64_t `, identifier("n", n), c`sizes[${n}]`));
  field(c`int64_t `, c`width`, c`sizes[${step.rowAxes.length}]`);
  body.sizes.forEach((_, n) =>
    field(c`int64_t `, identifier("size", n), c`sizes[${step.rowAxes.length + 1 + n}]`),
  );
  body.scalars.forEach((_, n) => field(c`float `, identifier("scalar", n), c`scalars[${n}]`));

  const locals: Fragment[] = [
    ...step.rowAxes.map((_, n) => c`  const int64_t ${identifier("n", n)} = c->${identifier("n", n)};\n`),
    ...body.sizes.map((_, n) => c`  const int64_t ${identifier("size", n)} = c->${identifier("size", n)};\n`),
    ...body.scalars.map(
      (_, n) => c`  const float ${identifier("scalar", n)} = c->${identifier("scalar", n)};\n`,
    ),
  ];
  const rowCount = joinFragments([c`1`, ...step.rowAxes.map((_, n) => c`sizes[${n}]`)], c` * `);
  const decode: Fragment[] = [];
  for (let n = step.rowAxes.length - 1; n >= 0; n--) {
    const at = identifier("at", n);
    decode.push(
      n === 0
        ? c`    const int64_t ${at} = rest;\n`
        : c`    const int64_t ${at} = rest % ${identifier("n", n)};\n    rest /= ${identifier("n", n)};\n`,
    );
  }
  const unused = joinFragments(
    step.rowAxes
      .flatMap((_, n) => [identifier("n", n), identifier("at", n)])
      .map((part) => c`(void)${part}; `),
    c``,
  );
  const partStart = lines(
    sums.map(
      (n) => c`  float *restrict ${identifier("part", n)} = c->${identifier("part", n)} + item * width;
  memset(${identifier("part", n)}, 0, (size_t)width * sizeof(float));
`,
    ),
  );
  // Maps alone may split a row, so that one long row keeps all threads busy; folds take whole rows.
  const span = mapsOnly
    ? c`  c.span = width > 32768 ? 16384 : width;
  c.columns = width > 0 ? (width + c.span - 1) / c.span : 0;
  c.block = width > 0 ? (16384 + width - 1) / width : 1;
`
    : sums.length > 0
      ? c`  c.span = width;
  c.columns = 1;
  c.block = (rows + ${columnBlocks - 1}) / ${columnBlocks};
  if (c.block < 1) c.block = 1;
`
      : c`  c.span = width;
  c.columns = 1;
  c.block = width > 0 ? (16384 + width - 1) / width : 1;
`;
  const text = c`
struct ${name} {
${lines(fields)}  int64_t rows, span, columns, block;
};

static void ${name}_block(void *context, int64_t item, int thread) {
  (void)thread;
  const struct ${name} *c = context;
  const int64_t width = c->width;
${lines(locals)}  const int64_t first = item / c->columns * c->block;
  const int64_t last = first + c->block < c->rows ? first + c->block : c->rows;
  const int64_t start = item % c->columns * c->span;
  const int64_t end = start + c->span < width ? start + c->span : width;
${partStart}  for (int64_t row = first; row < last; row++) {
    int64_t rest = row;
    (void)rest;
${lines(decode)}    ${unused}
${printed}  }
}

void ${name}(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)scalars;
  struct ${name} c = {${lines(values)}};
  const int64_t width = c.width, rows = ${rowCount};
  c.rows = rows;
${span}  const int64_t items = (rows + c.block - 1) / c.block * c.columns;
  lctx_parallel(items, ${name}_block, &c);
${finish}}
`;
  return {
    kernel: {
      entry: name.text,
      support: [],
      text,
      key: text.text.replaceAll(name.text, "rows"),
    },
    buffers: step.inputs.map((input) => input.operand),
    results: stored.map((n) => step.stages[n]!.store!),
    sizes: [...step.rowAxes.map((axis) => axis.size), step.width.size, ...body.sizes],
    scalars: body.scalars,
    scratch: sums.map(() => [columnBlocks, step.width.size]),
  };
}
