/** Prints expressions over pairs of a query and a key: functions of places, of block corners, and of tiles of logits. */
import { axisExtent } from "../../ir/axis-extent.ts";
import { exprChildren, someExpr, type Expr } from "../../ir/expr.ts";
import type { Axis, Node } from "../../ir/graph.ts";
import { c, joinFragments, scriptName, scriptString, type Fragment } from "../../ir/kernel.ts";
import {
  asNumber,
  hostBody,
  hostNumber,
  indicesOf,
  isHosted,
  type HostLeaves,
  type Needed,
} from "./print-host.ts";
import { arrowBody, tensorBody } from "./print-tensor.ts";

/** Sizes where a function is given the place it is asked at. */
const placeLeaves: HostLeaves = {
  index: (name) => scriptName(name),
  size: (name) =>
    ({
      batch: c`at.batch`,
      length: c`at.length`,
      "query-length": c`at.queryLength`,
      "query-start": c`at.queryStart`,
      step: c`at.step`,
    })[name],
  scalar: (name) => c`at.scalar(${scriptString(name)})`,
};

const isBatched = (node: Node | undefined): boolean => node?.axes.some(({ name }) => name === "b") ?? false;

/** Prints for one node: its buffers say which loads depend on the row of the batch. */
export class PairPrinter {
  readonly #buffers: readonly Node[];
  readonly #needed: Needed;

  constructor(buffers: readonly Node[], needed: Needed) {
    this.#buffers = buffers;
    this.#needed = needed;
  }

  #need(name: string): Fragment {
    this.#needed.add(name);
    return scriptName(name);
  }

  /** Which of b, h, q and k the value may differ by. */
  #reads(e: Expr, indices: readonly string[]): string {
    const read = indicesOf(e);
    const batched = someExpr(
      e,
      (part) => (part.kind === "load" || part.kind === "set") && isBatched(this.#buffers[part.buffer]),
    );
    return `${batched ? "b" : ""}${indices.filter((name) => read.has(name)).join("")}`;
  }

  /** The parameters of an arrow function up to the last one that its body reads. */
  #parameters(e: Expr, names: readonly string[]): Fragment {
    const read = indicesOf(e);
    const place = someExpr(
      e,
      ({ kind }) => kind === "load" || kind === "set" || kind === "size" || kind === "scalar",
    );
    const used = (name: string): boolean => (name === "at" ? place : read.has(name));
    const all = [...names, "at"];
    const last = all.findLastIndex(used);
    const shown = all
      .slice(0, last + 1)
      .map((name) => (used(name) ? scriptName(name) : scriptName(`_${name}`)));
    return c`(${joinFragments(shown, c`, `)})`;
  }

  /** A value at each pair: `pairs("qk", (q, k) => …)`. */
  pairs(e: Expr): Fragment {
    const body = hostBody(e, placeLeaves, this.#needed);
    return c`${this.#need("pairs")}(${scriptString(this.#reads(e, ["h", "q", "k"]))}, ${this.#parameters(e, ["q", "k", "h"])} => ${body})`;
  }

  /** A truth of a block of pairs, from its corners. */
  corners(e: Expr): Fragment {
    const body = hostBody(e, placeLeaves, this.#needed);
    const reads = scriptString(this.#reads(e, ["h"]));
    return c`${this.#need("corners")}(${reads}, ${this.#parameters(e, ["q0", "q1", "k0", "k1", "h"])} => ${body})`;
  }

  /** A value along index m: the angles of a rotation. */
  along(e: Expr): Fragment {
    return c`${this.#parameters(e, ["m"])} => ${hostBody(e, placeLeaves, this.#needed)}`;
  }

  /** The number of the element that a load reads, along the axes after the batch. */
  flatIndex(buffer: number, indices: readonly Expr[]): Fragment {
    const axes = this.#buffers[buffer]!.axes.filter(({ name }) => name !== "b");
    const parts = indices.map((index) => hostNumber(index, placeLeaves, this.#needed));
    const flat = parts.slice(1).reduce((before, part, n) => {
      return c`(${before} * ${this.#extent(axes[n + 1]!)} + ${part})`;
    }, parts[0]!);
    const reads = [...new Set(indices.flatMap((index) => [...this.#reads(index, ["h", "q", "k"])]))].join("");
    const all = ["q", "k", "h", "at"].map(scriptName);
    return c`${this.#need("pairs")}(${scriptString(reads)}, (${joinFragments(all, c`, `)}) => ${flat})`;
  }

  #extent(of: Axis): Fragment {
    const extent = axisExtent(of.size);
    if (typeof extent === "number") return c`${extent}`;
    const tokens = (size: typeof extent): Fragment => {
      if (size === "length") return c`at.length`;
      if (size === "batch") return c`at.batch`;
      if (size[0] === "+") return c`(at.length + ${size[2]})`;
      return c`Math.ceil(${tokens(size[1])} / ${size[2]})`;
    };
    return tokens(extent);
  }

  /** What the host could say of every pair and head, but says in fewer numbers part by part. */
  #isDivided(e: Expr): boolean {
    const reads = this.#reads(e, ["h", "q", "k"]);
    return e.type === "real" && reads.includes("h") && /[qk]/.test(reads) && e.kind !== "select";
  }

  /** True when the value is finite at every pair whose logit is, also at hidden ones, where the host says 0. */
  isFinite(e: Expr): boolean {
    if (isHosted(e) && (exprChildren(e).length === 0 || !this.#isDivided(e))) return true;
    if ((e.kind === "unary" || e.kind === "binary") && !finiteOps.has(e.op)) return false;
    return e.kind === "load" || exprChildren(e).every((part) => this.isFinite(part));
  }

  /** A value of each pair of a tile, over its logits: `(s, tile) => …`; null for the logit itself. */
  tile(e: Expr): Fragment {
    if (e.kind === "logit") return c`null`;
    const { definitions, values } = tensorBody(
      [e],
      {
        plain: (part) => {
          const text = asNumber(part, hostNumber(part, tileLeaves, this.#needed));
          return text;
        },
        hosted: (part) => c`tile.${part.type === "bool" ? c`test` : c`number`}(${this.pairs(part)})`,
        divided: (part) => this.#isDivided(part),
        logit: () => c`s`,
        operand: () => {
          throw new Error("pairs have no operands");
        },
        load: (part) => c`tile.load(${part.buffer}, ${this.flatIndex(part.buffer, part.indices)})`,
        uniform: () => {
          throw new Error("pairs have no random numbers");
        },
      },
      this.#needed,
    );
    const [value] = values;
    const text = value!.form === "number" ? c`tf.scalar(${value!.text})` : value!.text;
    const parameters = value!.form === "number" && !/tile/.test(value!.text.text) ? c`()` : c`(s, tile)`;
    return c`${parameters} => ${arrowBody(definitions, text)}`;
  }
}

const tileLeaves: HostLeaves = {
  index: () => {
    throw new Error("a number that differs by pair");
  },
  size: (name) =>
    ({
      batch: c`tile.at.batch`,
      length: c`tile.at.length`,
      "query-length": c`tile.at.queryLength`,
      "query-start": c`tile.at.queryStart`,
      step: c`tile.at.step`,
    })[name],
  scalar: (name) => c`tile.at.scalar(${scriptString(name)})`,
};

const finiteOps: ReadonlySet<string> = new Set([
  "neg", "abs", "tanh", "sigmoid", "erf", "sin", "cos", "floor", "ceil", "sign", "to-real", "to-int", "not",
  "add", "sub", "mul", "min", "max", "lt", "le", "eq", "and", "or", "floor-div", "mod",
]); // prettier-ignore
