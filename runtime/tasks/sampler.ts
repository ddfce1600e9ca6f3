/** Sampler: the samples of a task, each a function of the task, a seed, what it is for and its number. */
import { LctxError } from "../errors.ts";
import { keyOf, RandomStream } from "../random/stream.ts";
import type { Tokenizer } from "../tokens/tokenizer.ts";
import { drawAll, evaluate, fill, withIndex } from "./expressions.ts";
import type { Drawn } from "./expressions.ts";
import { openFiller } from "./filler.ts";
import type { TaskSettings } from "./task.ts";

export interface Sample {
  /** Exactly as many as were asked for. */
  readonly tokens: readonly number[];
  /** Where the answer starts; it goes to the end. Null: nothing is asked. */
  readonly answerStart: number | null;
}

export interface SampleRequest {
  /** Tokens of the sample, the answer counted. */
  readonly length: number;
  /** The value of `depth`; null: drawn uniformly. */
  readonly depth: number | null;
  readonly seed: number;
  /** Samples of different purposes (`train`, `validate`, `evaluate …`) are independent. */
  readonly purpose: string;
  readonly number: number;
}

/** Encoded pieces that are kept: a filler has few different ones. */
const mostKept = 50_000;

export class Sampler {
  readonly task: TaskSettings;
  readonly #tokenizer: Tokenizer;
  readonly #filler: ReturnType<typeof openFiller>;
  readonly #encoded = new Map<string, readonly number[]>();

  constructor(task: TaskSettings, tokenizer: Tokenizer) {
    this.task = task;
    this.#tokenizer = tokenizer;
    this.#filler = openFiller(task.filler);
  }

  /**
   * One sample. Its parts (beginning, each piece of filler, each insert, question, answer) are tokenized one by one; the
   * beginning of the filler is cut so that the length is exact. Inserts stand at the end of a piece: the one nearest to
   * where they are asked to be; those at one place keep the order of the task. Throws LctxError `task-too-short` when all
   * but the filler is longer than `length`, `task-impossible` when the task cannot be drawn at this length.
   */
  sample({ length, depth, seed, purpose, number }: SampleRequest): Sample {
    const { task } = this;
    const random = new RandomStream(keyOf(seed, `task:${task.name}:${purpose}:${number}`));
    const drawnDepth = random.uniform();
    const drawn: Drawn = {
      task,
      random,
      values: new Map([
        ["length", length],
        ["depth", depth ?? drawnDepth],
      ]),
      tables: new Map(),
    };
    drawAll(drawn);
    const inserts: { readonly at: number; readonly ids: readonly number[] }[] = [];
    for (const insert of task.inserts)
      withIndex(insert.axis, drawn, () => {
        const at = insert.at === null ? random.uniform() : (evaluate(insert.at, drawn) as number);
        inserts.push({ at: Math.min(1, Math.max(0, at)), ids: this.#encode(fill(insert.text, drawn)) });
      });
    const start = this.#encode(fill(task.start, drawn));
    const ask = this.#encode(task.question === null ? "" : fill(task.question.ask, drawn));
    const answer = this.#encode(task.question === null ? "" : fill(task.question.answer, drawn));
    const fixed = [start, ask, answer, ...inserts.map(({ ids }) => ids)];
    const needed = length - fixed.reduce((sum, ids) => sum + ids.length, 0);
    if (needed < 0)
      throw new LctxError(
        "task-too-short",
        `${task.label} needs ${length - needed} tokens without filler; a sample has ${length}`,
        "ask for longer samples, or for less in one",
      );
    const { ids, ends } = this.#fillerTokens(needed, random);
    const places = inserts.map(({ at }) => nearest(ends, at * needed));
    const order = inserts.map((_, n) => n).sort((a, b) => places[a]! - places[b]! || a - b);
    const tokens: number[] = [...start];
    let used = 0;
    for (const n of order) {
      for (; used < places[n]!; used++) tokens.push(ids[used]!);
      for (const id of inserts[n]!.ids) tokens.push(id);
    }
    for (; used < ids.length; used++) tokens.push(ids[used]!);
    for (const id of ask) tokens.push(id);
    const answerStart = task.question === null ? null : tokens.length;
    for (const id of answer) tokens.push(id);
    return { tokens, answerStart };
  }

  /** `count` tokens of filler, and where a piece of it ends, the beginning and the end of all of it included. */
  #fillerTokens(
    count: number,
    random: RandomStream,
  ): { readonly ids: readonly number[]; readonly ends: readonly number[] } {
    if (count === 0) return { ids: [], ends: [0] };
    const ids: number[] = [];
    const ends: number[] = [];
    for (const piece of this.#filler(random)) {
      for (const id of this.#encode(piece)) ids.push(id);
      ends.push(ids.length);
      if (ids.length >= count) break;
    }
    // What is too much is left out at the beginning, so that the question never stands right behind half a word.
    const surplus = ids.length - count;
    const kept = ends.map((end) => end - surplus).filter((end) => end > 0);
    return { ids: ids.slice(surplus), ends: [0, ...kept] };
  }

  #encode(text: string): readonly number[] {
    if (text === "") return [];
    const known = this.#encoded.get(text);
    if (known !== undefined) return known;
    const ids = [...this.#tokenizer.encode(text)];
    if (this.#encoded.size >= mostKept) this.#encoded.clear();
    this.#encoded.set(text, ids);
    return ids;
  }
}

/** Of rising places the one nearest to `at`; the earlier of two as near. */
function nearest(places: readonly number[], at: number): number {
  let low = 0;
  let high = places.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]! >= at) high = middle;
    else low = middle + 1;
  }
  const after = places[low]!;
  const before = places[low - 1] ?? after;
  return Math.abs(before - at) <= Math.abs(after - at) ? before : after;
}
