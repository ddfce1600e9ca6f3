/** Lowers an optimizer to an UpdateRule: the checker has read it already, so this is the same reading. */
export { readOptimizer as optimizerToRule } from "../check/optimizer.ts";
