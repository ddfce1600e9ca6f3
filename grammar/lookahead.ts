/** Lookahead tables, each worked out when a rule first asks for it: a text uses few of the rules, and each costs time. */
import { LLkLookaheadStrategy, type ILookaheadStrategy } from "chevrotain";

type Alternation = ILookaheadStrategy["buildLookaheadForAlternation"];
type Optional = ILookaheadStrategy["buildLookaheadForOptional"];

/** chevrotain's own lookahead, later. */
export class DeferredLookahead extends LLkLookaheadStrategy {
  override buildLookaheadForAlternation(options: Parameters<Alternation>[0]): ReturnType<Alternation> {
    const build = (): ReturnType<Alternation> => super.buildLookaheadForAlternation(options);
    let choose: ReturnType<Alternation> | null = null;
    return function (this: ThisParameterType<ReturnType<Alternation>>, ...given) {
      choose ??= build();
      return choose.apply(this, given);
    };
  }

  override buildLookaheadForOptional(options: Parameters<Optional>[0]): ReturnType<Optional> {
    const build = (): ReturnType<Optional> => super.buildLookaheadForOptional(options);
    let enters: ReturnType<Optional> | null = null;
    return function (this: ThisParameterType<ReturnType<Optional>>, ...given) {
      enters ??= build();
      return enters.apply(this, given);
    };
  }
}
