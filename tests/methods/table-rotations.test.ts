/** Tables rotated to positions without an axis, by head and learned, and queries that turn by blocks of keys, folds over them included, against vectors turned one by one, on the CPU and a GPU's programs on the host. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rotated } from "../../examples/dense.ts";
import { chosen, dot, keyOf, queryOf, range, softmax, weighed } from "../../examples/routing.ts";
import type { Device } from "../../runtime/device/device.ts";
import { openHostDevice } from "../cuda/host-program.ts";
import { openNative } from "../schedule/support.ts";
import type { Row } from "./elaborated.ts";
import { onDevice } from "./native-attention.ts";
import { furthest } from "./support.ts";

const block = 4;
const budget = 3;

const text = `import std.masks { causal }

attention Placed(block: Count = ${block}, budget: Count = ${budget}) {
  blocks c by block
  param sink[h, d], place[h], note[d]
  let asks[h, q, d] = rope(Q at budget * block / 2)
  let has[h, c, d]  = rope(K[h, last(c), d] at block - 1)
  select kept[h, q] from c by dot[d](asks, has) top budget always c == c(q) where c <= c(q)

  let lift[h, q] = sum[d] rope(Q at 2 * ordinal(h)) * rope(sink at 5)
  let drop[h, k] = sum[d] rope(K at k + ordinal(h)) * rope(note at ordinal(h))
  let note_at[k, d] = rope(note at k)
  let move[h, k] = sum[d] rope(K at 3 * place[h]) * note_at[k, d]
  mask causal and c(k) in kept[h, q]
  score = s + tanh(lift[h, q] * drop[h, k]) + tanh(move[h, k])
}
`;

/** The same, one vector at a time. */
function placed(row: Row): Float64Array {
  const { length, size } = row;
  const [sink, place, note] = [row.tables["sink"]!, row.tables["place"]!, row.tables["note"]!];
  const blockOf = (at: number): number => Math.floor(at / block);
  const lift = (head: number, q: number): number =>
    dot(rotated(queryOf(row, head, q), 2 * head), rotated(sink.slice(head * size, (head + 1) * size), 5));
  const drop = (head: number, k: number): number =>
    dot(rotated(keyOf(row, head, k), k + head), rotated(note, head));
  const move = (head: number, k: number): number =>
    dot(rotated(keyOf(row, head, k), 3 * place[head]!), rotated(note, k));
  return weighed(row, (head, query) => {
    const asks = rotated(queryOf(row, head, query), (budget * block) / 2);
    const has = (c: number): Float64Array =>
      rotated(keyOf(row, head, Math.min(length - 1, (c + 1) * block - 1)), block - 1);
    const kept = chosen(
      range(blockOf(query) + 1),
      (c) => c === blockOf(query),
      (c) => dot(asks, has(c)),
      budget,
    );
    return softmax(
      length,
      (key) => key <= query && kept.has(blockOf(key)),
      (key) =>
        dot(rotated(queryOf(row, head, query), query), rotated(keyOf(row, head, key), key)) /
          Math.sqrt(size) +
        Math.tanh(lift(head, query) * drop(head, key)) +
        Math.tanh(move(head, key)),
    );
  });
}

const turnedText = `import std.masks { causal }

attention Turned() {
  blocks c by ${block}
  mask causal
  rotate q at ordinal(q) - 2 * ordinal(c(k)) + ordinal(h), k at offset(k in c) where q - k >= 5
}
`;

const turned = (row: Row): Float64Array =>
  weighed(row, (head, query) =>
    softmax(
      row.length,
      (key) => key <= query,
      (key) => {
        const far = query - key >= 5;
        const [q, k] = far ? [query - 2 * Math.floor(key / block) + head, key % block] : [query, key];
        const [a, b] = [rotated(queryOf(row, head, query), q), rotated(keyOf(row, head, key), k)];
        return dot(a, b) / Math.sqrt(row.size);
      },
    ),
  );

/** Chosen blocks re-indexed, and folds over pairs of the logits that this gives. */
const foldedText = `import std.masks { causal }

attention Folded() {
  blocks c by ${block}
  select kept[h, q] from c by dot[d](Q, mean[k in c] K) top 2 always c == c(q) where c <= c(q)
  let p[h, q, k] = softmax[k if causal and c(k) in kept[h, q]] s
  let seen[h, k] = sum[q] p
  let most[h, q] = max[k if causal] s
  let tile[c] = max[h, q, k in c] p
  mask causal and c(k) in kept[h, q]
  score = s * (1 + seen[h, k]) + tanh(most[h, k]) * tile[c(k)]
  rotate x at rank(c(x) in kept[h, q]) * ${block} + offset(x in c)
}
`;

function folded(row: Row): Float64Array {
  const { length, size } = row;
  const blockOf = (at: number): number => Math.floor(at / block);
  const blocks = range(Math.ceil(length / block));
  const mean = (head: number, c: number): Float64Array => {
    const own = range(length).filter((k) => blockOf(k) === c);
    return Float64Array.from(range(size), (d) =>
      own.reduce((sum, k) => sum + keyOf(row, head, k)[d]! / own.length, 0),
    );
  };
  const keptOf = range(row.heads).map((head) =>
    range(length).map((q) =>
      chosen(
        range(blockOf(q) + 1),
        (c) => c === blockOf(q),
        (c) => dot(queryOf(row, head, q), mean(head, c)),
        2,
      ),
    ),
  );
  const logits = keptOf.map((own, head) =>
    own.map((kept, q) => {
      // A rank counts the members below, whether or not the block is one.
      const place = (x: number): number =>
        block * [...kept].filter((c) => c < blockOf(x)).length + (x % block);
      const query = rotated(queryOf(row, head, q), place(q));
      return range(length).map((k) => dot(query, rotated(keyOf(row, head, k), place(k))) / Math.sqrt(size));
    }),
  );
  const shares = logits.map((own, head) =>
    own.map((s, q) =>
      softmax(
        length,
        (k) => k <= q && keptOf[head]![q]!.has(blockOf(k)),
        (k) => s[k]!,
      ),
    ),
  );
  const seen = shares.map((own) => range(length).map((k) => own.reduce((sum, p) => sum + p[k]!, 0)));
  const most = logits.map((own) => own.map((s, q) => Math.max(...s.slice(0, q + 1))));
  const tile = blocks.map((c) =>
    Math.max(
      ...shares.flatMap((own) =>
        own.flatMap((p) => range(length).map((k) => (blockOf(k) === c ? p[k]! : 0))),
      ),
    ),
  );
  return weighed(row, (head, q) =>
    softmax(
      length,
      (k) => k <= q && keptOf[head]![q]!.has(blockOf(k)),
      (k) => logits[head]![q]![k]! * (1 + seen[head]![k]!) + Math.tanh(most[head]![k]!) * tile[blockOf(k)]!,
    ),
  );
}

const methods = [
  { text, use: "Placed()", reference: placed },
  { text: turnedText, use: "Turned()", reference: turned },
  { text: foldedText, use: "Folded()", reference: folded },
];

const devices: readonly {
  readonly name: string;
  readonly open: () => Device | Promise<Device>;
  readonly lengths: readonly number[];
  readonly run: typeof methods;
}[] = [
  { name: "the CPU", open: openNative, lengths: [1, 3, 13, 33], run: methods },
  {
    name: "a GPU's programs on the host",
    open: openHostDevice,
    lengths: [13],
    run: methods.filter(({ use }) => use !== "Turned()"),
  },
];

describe.each(devices)("on $name", ({ open, lengths, run }) => {
  let device: Device;
  beforeAll(async () => {
    device = await open();
  });
  afterAll(() => device.close());

  it.each(run)("$use", { timeout: 120_000 }, async (method) => {
    const shape = { heads: 4, kvHeads: 2, size: 6 };
    const own = await onDevice(device, method.text, method.use, shape, "evaluation");
    for (const length of lengths) {
      const ran = own.at(length, length);
      const meant = ran.meant();
      ran.rows.forEach((row, n) => {
        const want = method.reference(row);
        expect(furthest(meant[n]!, want), `meaning at ${length}`).toBeLessThan(1e-9);
        expect(furthest(ran.outputs[n]!, want), `kernels at ${length}`).toBeLessThan(1e-5);
      });
      for (const [path, want] of ran.meantGradients()) {
        const most = Math.max(1, ...want.map(Math.abs));
        const learns = length > 1 || path === "v";
        expect(
          want.some((x) => x !== 0),
          `a gradient of ${path} at ${length}`,
        ).toBe(learns);
        const error = furthest(ran.gradients.get(path)!, want) / most;
        expect(error, `gradient of ${path} at ${length}`).toBeLessThan(1e-5);
      }
    }
    own.close();
  });
});
