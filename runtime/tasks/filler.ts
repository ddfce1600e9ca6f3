/** Fillers of tasks: pieces of text, one after another without end; what is inserted stands between two pieces. */
import { keyOf, RandomStream } from "../random/stream.ts";
import type { MarkovFiller, TaskFiller } from "./task.ts";

/** Sentences of a text with the spaces behind them; its words when it is one sentence. Together they are the text. */
export function piecesOf(text: string): readonly string[] {
  const sentences = text.match(/[^.!?\n]*(?:[.!?\n]+\s*|$)/g)!.filter((piece) => piece !== "");
  return sentences.length > 1 ? sentences : (text.match(/\s*\S+\s*/g) ?? [text]);
}

/** The place of a number in [0, 1) among running sums that end at 1. */
function placeOf(sums: Float64Array, at: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Running sums of rank^−exponent for ranks from 1 on, over their total. */
function zipfSums(count: number, exponent: number): Float64Array {
  const sums = new Float64Array(count);
  let total = 0;
  for (let rank = 0; rank < count; rank++) sums[rank] = total += (rank + 1) ** -exponent;
  for (let rank = 0; rank < count; rank++) sums[rank]! /= total;
  return sums;
}

interface Language {
  readonly words: readonly string[];
  /** `followers` words for each word, likeliest first. */
  readonly followers: Uint32Array;
  readonly sums: Float64Array;
}

/** Letters of the shortest and the longest words. */
const [shortest, longest] = [2, 7];

/** Words and what may follow each: a function of the filler's settings alone. */
function makeLanguage({ words: count, followers: branches, exponent, language }: MarkovFiller): Language {
  const random = new RandomStream(keyOf(language, "words of a filler"));
  const seen = new Set<string>();
  while (seen.size < count) {
    let word = "";
    const length = shortest + random.below(longest - shortest + 1);
    for (let n = 0; n < length; n++) word += String.fromCharCode(97 + random.below(26));
    seen.add(word);
  }
  const byRank = zipfSums(count, exponent);
  const followers = new Uint32Array(count * branches);
  for (let n = 0; n < followers.length; n++) followers[n] = placeOf(byRank, random.uniform());
  return { words: [...seen].map((word) => `${word} `), followers, sums: zipfSums(branches, exponent) };
}

function* markovPieces(filler: MarkovFiller, language: Language, random: RandomStream): Generator<string> {
  const { words, followers, sums } = language;
  const said: number[] = [];
  let word = random.below(words.length);
  for (;;) {
    if (filler.copies > 0 && said.length >= filler.span && random.uniform() < filler.copies) {
      const from = random.below(said.length - filler.span + 1);
      for (const earlier of said.slice(from, from + filler.span)) {
        word = earlier;
        said.push(word);
        yield words[word]!;
      }
    }
    word = followers[word * filler.followers + placeOf(sums, random.uniform())]!;
    said.push(word);
    yield words[word]!;
  }
}

/** Makes pieces without end; those that random choices make take words of the stream given. */
export function openFiller(filler: TaskFiller): (random: RandomStream) => Generator<string> {
  if (filler.kind === "markov") {
    const language = makeLanguage(filler);
    return (random) => markovPieces(filler, language, random);
  }
  const pieces = piecesOf(filler.text);
  return function* () {
    for (;;) yield* pieces;
  };
}
