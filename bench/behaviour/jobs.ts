/** What the behaviour runs train and measure, at the sizes of the issue or at sizes for a processor, and what they must show. */

export interface Scale {
  readonly name: "full" | "small" | "tiny";
  /** Overrides of every model. */
  readonly model: readonly string[];
  /** Overrides of recipes that start from nothing. */
  readonly recipe: readonly string[];
  /** Bytes a row: trained, tuned, and asked for far beyond. */
  readonly trained: number;
  readonly long: number;
  readonly far: number;
  /** Bytes a block. */
  readonly block: number;
  /** Sequences of a batch, in place of one of the spec. */
  readonly batch: (sequences: number) => number;
  /** Samples of each length and depth, and held-out rows. */
  readonly samples: number;
  readonly rows: number;
}

export const scales: Readonly<Record<Scale["name"], Scale>> = {
  full: {
    name: "full",
    model: [],
    recipe: [],
    trained: 512,
    long: 2048,
    far: 4096,
    block: 32,
    batch: (sequences) => sequences,
    samples: 20,
    rows: 64,
  },
  small: {
    name: "small",
    model: ["T4.width=64", "T4.heads=4", "T4.layers=2"],
    recipe: ["train.optimizer.lr=3e-3"],
    trained: 256,
    long: 1024,
    far: 2048,
    block: 32,
    batch: (sequences) => Math.max(1, sequences / 2),
    samples: 4,
    rows: 8,
  },
  // Only to see that everything runs.
  tiny: {
    name: "tiny",
    model: ["T4.width=32", "T4.heads=4", "T4.layers=2"],
    recipe: [],
    trained: 256,
    long: 512,
    far: 512,
    block: 32,
    batch: (sequences) => Math.max(1, sequences / 16),
    samples: 1,
    rows: 4,
  },
};

/** A run: a recipe, from the weights of another run or from its own start. */
export interface Training {
  readonly name: string;
  readonly spec: string;
  readonly from: string | null;
  readonly overrides: readonly string[];
}

/** One question to a run's weights, in its own model or another spec's. */
export interface Measure {
  readonly run: string;
  readonly label: string;
  /** Another model over the same weights; null: the run's own. */
  readonly spec: string | null;
  readonly overrides: readonly string[];
  readonly length: number;
  /** A task of base.lctx; null: the loss on held-out rows of `rows`. */
  readonly task: string | null;
  /** The spec whose rows are held out. */
  readonly rows: string;
}

export interface Work {
  readonly trainings: readonly Training[];
  readonly measures: readonly Measure[];
}

/** Rows of the gate's causal triangle keep so many tiles each that `kept` of all tiles are kept, at most. */
function tilesPerRow(blocks: number, kept: number): number {
  let most = 1;
  const share = (top: number): number =>
    ((top * (top + 1)) / 2 + (blocks - top) * top) / ((blocks * (blocks + 1)) / 2);
  while (share(most + 1) <= kept) most++;
  return most;
}

/** Columns and diagonals that cover `share` of the causal pairs, at most: two diagonals for three lines in five. */
function lines(length: number, share: number): { readonly vertical: number; readonly slash: number } {
  const all = Math.floor((share * (length + 1)) / 2);
  const slash = Math.floor(0.6 * all);
  return { vertical: all - slash, slash };
}

export function workOf(scale: Scale): Work {
  const { trained, long, far, block } = scale;
  const trainings: Training[] = [];
  const measures: Measure[] = [];
  const train = (
    name: string,
    spec: string,
    from: string | null,
    overrides: readonly string[] = [],
  ): void => {
    trainings.push({
      name,
      spec,
      from,
      overrides: [...scale.model, ...(from === null ? scale.recipe : []), ...overrides],
    });
  };
  const measure = (
    run: string,
    label: string,
    task: string | null,
    length: number,
    spec: string | null = null,
    overrides: readonly string[] = [],
  ): void => {
    // Recipes of other specs say how long rows are, too.
    const rows = spec === "tuned-full.lctx" || spec === "seer.lctx" ? [`train.data.length=${length}`] : [];
    const set = spec === null ? [] : [...scale.model, `T4.length=${length}`, ...rows, ...overrides];
    measures.push({
      ...{ run, label, spec, overrides: set, length, task },
      rows: run.startsWith("tuned") ? "tuned-full.lctx" : "long.lctx",
    });
  };

  // As many keys as a row of training has, near ones a block's worth at least, whatever a block's size.
  const heads = (size: number): string =>
    `T4.attention=LongHeads(block: ${size}, budget: ${trained / size}, near: ${Math.max(1, block / size)})`;
  const few = 4;
  for (const [run, own] of [
    ["base", []],
    ["base-gqa", ["T4.kv_heads=2"]],
  ] as const) {
    train(run, "base.lctx", null, own);
    for (const task of ["passkey", "recall", "tracking"]) measure(run, "plain", task, trained);
    for (const task of ["passkey", "recall", "tracking"]) measure(run, "plain", task, far);
    measure(run, "long-heads", "passkey", trained, "longheads.lctx", [heads(few), ...own]);
    for (const task of ["passkey", "recall", "tracking"])
      measure(run, "long-heads", task, far, "longheads.lctx", [heads(few), ...own]);
    for (const size of [8, 16, block])
      measure(run, `long-heads, blocks of ${size}`, "passkey", far, "longheads.lctx", [heads(size), ...own]);
    const bounds = heads(block).replace("LongHeads", "BoundHeads");
    measure(run, "long-heads, bounds", "passkey", far, "longheads-bounds.lctx", [bounds, ...own]);
  }

  train("landmark", "landmark.lctx", null, [`T4.attention=Landmark(block: ${block})`]);
  measure("landmark", "own", "passkey", trained);
  measure("landmark", "own", "passkey", far);
  const marks = [`T4.attention=LandmarkFar(block: ${block})`];
  const slots = [`T4.attention=LandmarkSlots(block: ${block})`];
  for (const length of [trained, far]) {
    measure("landmark", "far", "passkey", length, "landmark-far.lctx", marks);
    measure("landmark", "far, by slots", "passkey", length, "landmark-slots.lctx", slots);
  }

  for (const kind of ["full", "shifted", "unshifted"] as const) {
    const spec = `tuned-${kind === "unshifted" ? "shifted" : kind}.lctx`;
    train(`tuned-${kind}`, spec, "base", kind === "unshifted" ? ["T4.attention=Grouped(groups: 4)"] : []);
    measure(`tuned-${kind}`, "dense", null, long, "tuned-full.lctx");
    measure(`tuned-${kind}`, "dense", "passkey", long, "tuned-full.lctx");
  }

  train("long", "long.lctx", "base");
  measure("long", "dense", null, long);
  for (const task of ["passkey", "recall"]) measure("long", "dense", task, long);
  // Bytes look up bytes: 32 queries of a block ask for more blocks than a quarter of them holds.
  const tile = block / 2;
  const tiles = tilesPerRow(long / tile, 0.25);
  const pool = [`T4.attention=MeanPool(block: ${tile}, keep: ${tiles})`];
  measure("long", "mean-pool", null, long, "mean-pool.lctx", pool);
  measure("long", "mean-pool", "recall", long, "mean-pool.lctx", pool);
  const { vertical, slash } = lines(long, 0.15);
  const forced = Math.min(30, Math.floor(vertical / 2));
  const cross = [`T4.attention=VerticalSlash(vertical: ${vertical}, slash: ${slash}, forced: ${forced})`];
  measure("long", "vertical-slash", null, long, "vertical-slash.lctx", cross);
  for (const task of ["passkey", "recall"])
    measure("long", "vertical-slash", task, long, "vertical-slash.lctx", cross);

  const gate = (keep: number): string => `T4.attention=SeerGate(block: ${tile}, keep: ${keep})`;
  train("seer", "seer.lctx", "long", [gate(tiles)]);
  measure("seer", "every block", null, long, "seer.lctx", [gate(long / tile)]);
  measure("seer", "gate", null, long, "seer.lctx", [gate(tiles)]);
  measure("seer", "gate", "recall", long, "seer.lctx", [gate(tiles)]);
  return { trainings, measures };
}

/** What a measure found: of a task the share of whole answers that are right, of rows the loss in nats a target. */
export interface Found {
  readonly seed: number;
  readonly run: string;
  readonly label: string;
  readonly task: string | null;
  readonly length: number;
  readonly exactMatch: number | null;
  readonly accuracy: number | null;
  readonly loss: number;
}

export interface Criterion {
  /** The example whose method it is about; null: the model itself. */
  readonly method: string | null;
  readonly says: string;
  readonly target: string;
  /** Null: something was not measured. */
  readonly value: number | null;
  readonly holds: boolean | null;
}

/** The acceptance for what one seed found. */
export function criteria(
  found: readonly Found[],
  { trained, long, far, block }: Scale,
): readonly Criterion[] {
  const get = (run: string, label: string, task: string | null, length: number): Found | undefined =>
    found.find((f) => f.run === run && f.label === label && f.task === task && f.length === length);
  const match = (run: string, label: string, task: string, length: number): number | null =>
    get(run, label, task, length)?.exactMatch ?? null;
  const excess = (one: Found | undefined, other: Found | undefined): number | null =>
    one === undefined || other === undefined ? null : one.loss / other.loss - 1;
  const judged = (
    method: string | null,
    says: string,
    value: number | null,
    target: string,
    holds: (value: number) => boolean,
  ): Criterion => ({ method, says, target, value, holds: value === null ? null : holds(value) });
  const atLeast = (bound: number) => (value: number) => value >= bound;
  const atMost = (bound: number) => (value: number) => value <= bound;
  const loss = (run: string, label: string): Found | undefined => get(run, label, null, long);
  const [gate, pool] = [
    excess(loss("seer", "gate"), loss("seer", "every block")),
    excess(loss("long", "mean-pool"), loss("long", "dense")),
  ];
  return [
    judged(
      null,
      `plain at ${trained}: passkey`,
      match("base", "plain", "passkey", trained),
      "≥ 95 %",
      atLeast(0.95),
    ),
    judged(
      null,
      `plain at ${far}: passkey`,
      match("base", "plain", "passkey", far),
      "< 20 %",
      (v) => v < 0.2,
    ),
    judged(
      "longheads",
      `passkey at ${far}`,
      match("base", "long-heads", "passkey", far),
      "≥ 95 %",
      atLeast(0.95),
    ),
    judged(
      "longheads",
      `passkey at ${far}, blocks of ${block} by bounds of their keys`,
      match("base", "long-heads, bounds", "passkey", far),
      "≥ 95 %",
      atLeast(0.95),
    ),
    judged(
      "longheads",
      `passkey at ${far}, shared keys`,
      match("base-gqa", "long-heads", "passkey", far),
      "≥ 95 %",
      atLeast(0.95),
    ),
    judged(
      "landmark",
      `passkey at ${far} with 4 blocks`,
      match("landmark", "far", "passkey", far),
      "≥ 90 %",
      atLeast(0.9),
    ),
    judged(
      "shifted-sparse",
      "loss over dense tuning",
      excess(loss("tuned-shifted", "dense"), loss("tuned-full", "dense")),
      "≤ +3 %",
      atMost(0.03),
    ),
    judged("seer-gate", "loss without 75 % of tiles", gate, "≤ +2 %", atMost(0.02)),
    judged(
      "seer-gate",
      "loss less that of mean-pooling",
      gate === null || pool === null ? null : gate - pool,
      "< 0 %",
      (value) => value < 0,
    ),
    judged(
      "vertical-slash",
      "loss with 15 % of pairs",
      excess(loss("long", "vertical-slash"), loss("long", "dense")),
      "≤ +2 %",
      atMost(0.02),
    ),
  ];
}
