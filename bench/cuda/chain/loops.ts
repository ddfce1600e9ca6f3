/** CUDA kernels of maps, concatenations and rotations of small tensors: a thread an element. */
import { cudaPrinter, type CudaLeaves } from "../../../compiler/backends/cuda/print-expr.ts";
import { scalarPrelude } from "../../../compiler/backends/cuda/scalar-prelude.ts";
import { axisExtent } from "../../../compiler/ir/axis-extent.ts";
import { load, mapExpr, type Expr } from "../../../compiler/ir/expr.ts";
import { showSize } from "../../../compiler/ir/graph-axes.ts";
import type { NodeOf } from "../../../compiler/ir/graph-operands.ts";
import type { Axis, AxisSize, Node } from "../../../compiler/ir/graph.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../compiler/ir/kernel.ts";
import type { CudaCall, LaunchSize } from "../../../runtime/device/cuda/launch.ts";

const threads = 256;

export type LoopNode = NodeOf<"map"> | NodeOf<"concat"> | NodeOf<"rotate">;
export type Places = ReadonlyMap<string, Fragment>;

export interface LoopCall {
  readonly call: CudaCall;
  /** Nodes whose tensors are the first buffers; the results follow. All are f32 or i32. */
  readonly reads: readonly Node[];
}

/** A product of numbers, or null for a size that only a launch knows. */
export function knownSize(size: LaunchSize): number | null {
  if (typeof size === "number") return size;
  if (typeof size === "string" || size[0] !== "*") return null;
  const parts = size.slice(1).map((part) => knownSize(part as LaunchSize));
  return parts.reduce((all, one) => (all === null || one === null ? null : all * one), 1);
}

/** Names and arguments of what a kernel reads: tensors, sizes. */
export class Reads {
  readonly nodes: Node[] = [];
  readonly #results: number;
  readonly #sizes = new Map<string, LaunchSize>();

  constructor(results = 1) {
    this.#results = results;
  }

  tensor(node: Node): Fragment {
    const at = this.nodes.indexOf(node);
    return identifier("t", at >= 0 ? at : this.nodes.push(node) - 1);
  }

  size(name: string, size: LaunchSize): Fragment {
    const known = knownSize(size);
    if (known !== null) return c`${known}`;
    if (!this.#sizes.has(name)) this.#sizes.set(name, size);
    return identifier("n", [...this.#sizes.keys()].indexOf(name));
  }

  extent(size: AxisSize): Fragment {
    return size.kind === "fixed" ? c`${size.value}` : this.size(showSize(size), axisExtent(size));
  }

  /** The element of a tensor at given places of its axes. */
  element(node: Node, places: Places): Fragment {
    return c`${this.tensor(node)}[${this.flat(node.axes, places)}]`;
  }

  flat(axes: readonly Axis[], places: Places): Fragment {
    let flat: Fragment = c`0ll`;
    for (const { name, size } of axes) flat = c`(${flat} * ${this.extent(size)} + ${places.get(name)!})`;
    return flat;
  }

  count(axes: readonly Axis[]): LaunchSize {
    return ["*", 1, ...axes.map(({ size }) => axisExtent(size))];
  }

  get parameters(): Fragment {
    const typed = (node: Node): Fragment => (node.dtype === "i32" ? c`const int *` : c`const float *`);
    return joinFragments(
      [
        ...this.nodes.map((node, n) => c`${typed(node)}${identifier("t", n)}, `),
        c`void *result`,
        ...Array.from({ length: this.#results - 1 }, (_, n) => c`, void *${identifier("result", n + 1)}`),
        ...[...this.#sizes].map((_, n) => c`, int ${identifier("n", n)}`),
      ],
      c``,
    );
  }

  get arguments() {
    return [
      ...Array.from(
        { length: this.nodes.length + this.#results },
        (_, buffer) => ({ kind: "pointer", buffer }) as const,
      ),
      ...[...this.#sizes.values()].map((value) => ({ kind: "i32", value }) as const),
    ];
  }

  /** The call of a kernel that takes `arguments`: one launch, no scratch. */
  call(entry: Fragment, text: Fragment, launch: Pick<Launch, "label" | "grid" | "threads">): LoopCall {
    return {
      reads: this.nodes,
      call: {
        sources: [{ entry: entry.text, text: text.text, architecture: "sm_80" }],
        buffers: this.nodes.length + this.#results,
        scratch: [],
        launches: [{ source: 0, ...launch, cluster: 1, sharedBytes: 0, arguments: this.arguments }],
      },
    };
  }
}

type Launch = CudaCall["launches"][number];

export interface Apart {
  readonly text: Fragment;
  readonly places: Map<string, Fragment>;
}

/** Statements that take a flat place inside a tensor apart: names of the axes' places. */
export function takeApart(
  reads: Reads,
  axes: readonly Axis[],
  flat: Fragment,
  word: string,
  type: Fragment = c`long long`,
): Apart {
  const places = new Map<string, Fragment>();
  const left = identifier(word);
  let text = c`    ${type} ${left} = ${flat};\n`;
  for (let n = axes.length - 1; n >= 0; n--) {
    const own = identifier(word, n);
    // What is left for the first axis is its place.
    const extent = n === 0 ? null : reads.extent(axes[n]!.size);
    const take = extent === null ? c`(int)${left}` : c`(int)(${left} % ${extent}); ${left} /= ${extent}`;
    text = c`${text}    const int ${own} = ${take};\n`;
    places.set(axes[n]!.name, own);
  }
  return { text: c`${text}    (void)${left};\n`, places };
}

/** Statements and value of a node at given places; maps for which `inline` holds are computed where they are read. */
export function valueAt(
  reads: Reads,
  node: Node,
  places: Places,
  inline: (node: Node) => boolean,
  word: string,
  known: ReadonlyMap<Node, Fragment> = new Map(),
): { text: Fragment; value: Fragment } {
  const value = known.get(node);
  if (value !== undefined) return { text: c``, value };
  if (node.kind === "map" && inline(node)) return mapValue(reads, node, places, inline, word, known);
  return { text: c``, value: reads.element(node, places) };
}

/** Statements and value of a map at given places; `known` are values of operands that are at hand. */
export function mapValue(
  reads: Reads,
  node: NodeOf<"map">,
  places: Places,
  inline: (node: Node) => boolean,
  word: string,
  known: ReadonlyMap<Node, Fragment> = new Map(),
): { text: Fragment; value: Fragment } {
  const operands = node.operands.map((operand, n) =>
    valueAt(reads, operand, places, inline, `${word}_${n}`, known),
  );
  const none = (what: string) => (): never => {
    throw new Error(`${node.site}: no ${what} here`);
  };
  const leaves: CudaLeaves = {
    index: (name) => places.get(name)!,
    size: (name) => reads.size(name, name),
    scalar: none("scalars"),
    logit: none("logit"),
    load: (n) => operands[n]!.value,
    set: none("sets"),
  };
  const body = mapExpr(node.body, (part): Expr =>
    part.kind === "operand" ? load(part.index, [], part.type) : part,
  );
  const printer = cudaPrinter(leaves, word);
  const value = printer.print(body);
  return {
    text: c`${joinFragments(
      operands.map(({ text }) => text),
      c``,
    )}${printer.take()}`,
    value,
  };
}

/** Statements that make `s` and `k`, sine and cosine (scaled) of a pair at given places of a rotation. */
export function turnText(reads: Reads, node: NodeOf<"rotate">, places: Places, pair: Fragment): Fragment {
  const printer = cudaPrinter(
    {
      index: (name) => {
        if (name === "m") return pair;
        if (name === "x") return places.get("t")!;
        return places.get(node.axes.at(-2)!.name)!;
      },
      size: (name) => reads.size(name, name),
      scalar: () => c`0.0f`,
      logit: () => c`0.0f`,
      load: () => c`0.0f`,
      set: () => c`false`,
    },
    "r",
  );
  const [position, angle, scale] = [node.position, node.angle, node.scale].map((e) => printer.print(e));
  return c`${printer.take()}    double sine, cosine;
    sincos((double)${position!} * (double)${angle!}, &sine, &cosine);
    const float s = (float)sine * ${scale!}${node.inverse ? c` * -1.0f` : c``}, k = (float)cosine * ${scale!};
`;
}

function rotateValue(
  reads: Reads,
  node: NodeOf<"rotate">,
  places: Places,
): { text: Fragment; value: Fragment } {
  const last = node.axes.at(-1)!;
  const own = places.get(last.name)!;
  const half = node.rotated / 2;
  const at = (i: Fragment): Fragment => reads.element(node.operand, new Map([...places, [last.name, i]]));
  const [low, high, m] =
    node.layout === "half"
      ? [c`m`, c`m + ${half}`, c`${own} % ${half}`]
      : [c`2 * m`, c`2 * m + 1`, c`${own} / 2`];
  const second = node.layout === "half" ? c`${own} >= ${half}` : c`${own} % 2 == 1`;
  return {
    text: c`    const int m = ${m};
${turnText(reads, node, places, c`m`)}    const bool turns = ${own} < ${node.rotated};
    const float low = turns ? ${at(low)} : 0.0f, high = turns ? ${at(high)} : 0.0f;
`,
    value: c`(turns ? (${second} ? high * k + low * s : low * k - high * s) : ${at(own)})`,
  };
}

function concatValue(reads: Reads, node: NodeOf<"concat">, places: Places): Fragment {
  const own = places.get(node.axis)!;
  let value: Fragment = c`0.0f`;
  let end = 0;
  const pieces = node.operands.map((operand) => {
    const size = operand.axes.find(({ name }) => name === node.axis)!.size;
    if (size.kind !== "fixed") throw new Error(`${node.site}: pieces have fixed sizes here`);
    const start = end;
    end += size.value;
    return { operand, start, end };
  });
  for (const piece of pieces.toReversed())
    value = c`(${own} < ${piece.end} ? ${reads.element(piece.operand, new Map([...places, [node.axis, c`(${own} - ${piece.start})`]]))} : ${value})`;
  return value;
}

/** The call of a node; `inline` says which maps are computed by the one that reads them. */
export function loopCall(node: LoopNode, inline: (node: Node) => boolean): LoopCall {
  const reads = new Reads();
  const { text: outer, places } = takeApart(reads, node.axes, c`i`, "at");
  const total = reads.count(node.axes);
  const end = reads.size("*", total);
  const type = node.dtype === "i32" ? c`int` : c`float`;
  const entry = c`lctx_loop`;
  const made =
    node.kind === "map"
      ? mapValue(reads, node, places, inline, "e")
      : node.kind === "rotate"
        ? rotateValue(reads, node, places)
        : { text: c``, value: concatValue(reads, node, places) };
  const text = c`${scalarPrelude("accurate")}
extern "C" __global__ void __launch_bounds__(${threads}) ${entry}(${reads.parameters}) {
  const long long i = (long long)blockIdx.x * ${threads} + threadIdx.x;
  if (i >= ${end}) return;
${outer}${made.text}  ((${type} *)result)[i] = ${made.value};
}
`;
  return reads.call(entry, text, {
    label: `${node.site}: ${node.kind}`,
    grid: [["ceil-div", total, threads], 1, 1],
    threads,
  });
}
