/** Rotations: of a whole tensor by its tokens' positions, and of a tile's queries anew for each block of keys. */
import * as tf from "@tensorflow/tfjs-core";
import type { Turn } from "./attention-types.ts";
import type { Tile } from "./tile.ts";

/** Pairs of the last axis turned by the angles whose cosine and sine broadcast against them; the other elements pass. */
function turnPairs(
  x: tf.Tensor,
  rotated: number,
  layout: "half" | "interleaved",
  cos: tf.Tensor,
  sin: tf.Tensor,
): tf.Tensor {
  const width = x.shape.at(-1)!;
  const outer = x.shape.slice(0, -1);
  const half = rotated / 2;
  const columns = (first: number, count: number): tf.Tensor =>
    tf.slice(x, [...outer.map(() => 0), first], [...outer, count]);
  const rest = rotated === width ? [] : [columns(rotated, width - rotated)];
  if (layout === "half") {
    const [a, b] = [columns(0, half), columns(half, half)];
    const turned = [tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(a, sin), tf.mul(b, cos))];
    return tf.concat([...turned, ...rest], outer.length);
  }
  const pairs = tf.reshape(columns(0, rotated), [...outer, half, 2]);
  const [a, b] = [0, 1].map((n) =>
    tf.reshape(tf.slice(pairs, [...outer.map(() => 0), 0, n], [...outer, half, 1]), [...outer, half]),
  ) as [tf.Tensor, tf.Tensor];
  const turned = [tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(a, sin), tf.mul(b, cos))];
  const woven = tf.reshape(
    tf.concat(
      turned.map((each) => tf.reshape(each, [...outer, half, 1])),
      outer.length + 1,
    ),
    [...outer, rotated],
  );
  return rest.length === 0 ? woven : tf.concat([woven, ...rest], outer.length);
}

export interface Rotation {
  readonly position: (x: number, h: number) => number;
  /** Whether the position differs by head. */
  readonly byHead: boolean;
  readonly angle: (m: number) => number;
  readonly scale: (m: number) => number;
  readonly rotated: number;
  readonly layout: "half" | "interleaved";
  readonly inverse: boolean;
  /** Position of the first token. */
  readonly start: number;
  /** The axis of tokens. */
  readonly along: number;
}

/** Cosines and sines, computed in double precision; `at(n)` is the position of row n. */
function tables(
  shape: readonly number[],
  half: number,
  at: (n: number) => number,
  angle: (m: number) => number,
  scale: (m: number) => number,
): readonly [tf.Tensor, tf.Tensor] {
  const rows = shape.reduce((a, b) => a * b, 1);
  const [cos, sin] = [new Float32Array(rows * half), new Float32Array(rows * half)];
  const law = Array.from({ length: half }, (_, m) => ({ angle: angle(m), scale: scale(m) }));
  for (let n = 0; n < rows; n++) {
    const position = at(n);
    law.forEach((own, m) => {
      cos[n * half + m] = own.scale * Math.cos(position * own.angle);
      sin[n * half + m] = own.scale * Math.sin(position * own.angle);
    });
  }
  return [tf.tensor(cos, [...shape, half]), tf.tensor(sin, [...shape, half])];
}

/** A tensor [.., tokens, .., heads, width] rotated by its tokens' positions. */
export function rotate(x: tf.Tensor, law: Rotation): tf.Tensor {
  if (law.rotated === 0) return tf.clone(x);
  return tf.tidy(() => {
    const { along, start } = law;
    const tokens = x.shape[along]!;
    const heads = x.shape.at(-2)!;
    const shape = x.shape.slice(0, -1).map((extent, axis) => {
      if (axis === along) return extent;
      return law.byHead && axis === x.rank - 2 ? extent : 1;
    });
    const sign = law.inverse ? -1 : 1;
    const position = (n: number): number => {
      if (along === x.rank - 2) return law.position(start + n, n);
      return law.byHead
        ? law.position(start + (Math.floor(n / heads) % tokens), n % heads)
        : law.position(start + n, 0);
    };
    const [cos, sin] = tables(shape, law.rotated / 2, position, (m) => sign * law.angle(m), law.scale);
    return turnPairs(x, law.rotated, law.layout, cos, sin);
  });
}

/** A block of a tile's keys that one rotation of the queries is for: which keys, counted from the tile's first. */
export interface TurnedBlock {
  readonly tile: Tile;
  readonly keys: { readonly first: number; readonly last: number };
}

export function turnedBlocks({ by }: Turn, tile: Tile): readonly TurnedBlock[] {
  return Array.from({ length: Math.ceil(tile.keys / by) }, (_, n) => ({
    tile,
    keys: { first: n * by, last: Math.min(tile.keys, (n + 1) * by) - 1 },
  }));
}

/** Queries [b, h, rows, d] of a tile as a block of keys sees them; back by the adjoint. */
export function turnedQuery(
  query: tf.Tensor,
  turn: Turn,
  { tile, keys }: TurnedBlock,
  back: boolean,
): tf.Tensor {
  if (turn.rotated === 0) return tf.clone(query);
  const { at } = tile;
  const k = tile.block.k0 + keys.first;
  const has = (name: string, extent: number): number => (turn.position.reads.includes(name) ? extent : 1);
  const shape = [has("b", at.batch), has("h", tile.heads), has("q", tile.rows)] as const;
  const position = (n: number): number => {
    const [q, h] = [n % shape[2], Math.floor(n / shape[2]) % shape[1]];
    at.row = Math.floor(n / (shape[1] * shape[2]));
    return turn.position.of(tile.block.q0 + q, k, h, at) as number;
  };
  const sign = back ? -1 : 1;
  const [cos, sin] = tables(
    shape,
    turn.rotated / 2,
    position,
    (m) => sign * turn.angle(m, at),
    (m) => turn.scale(m, at),
  );
  return turnPairs(query, turn.rotated, turn.layout, cos, sin);
}
