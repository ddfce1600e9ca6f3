/** The wording of mistakes in static values, models, adapters and recipes; messages/model.md and train.md explain each. */

interface MistakeText {
  readonly severity?: "error" | "warning" | "remark";
  readonly title: string;
  readonly label: string;
  readonly help: string | null;
}

/** Title, label under the place, and help, with `{holes}`. */
export const mistakeTexts = {
  // ── Static values and arguments ──
  "name-unknown": { title: "unknown name `{name}`", label: "not defined here", help: null },
  "not-static": {
    title: "`{what}` is not known when the spec is checked",
    label: "a value per token or per weight",
    help: "settings, arguments and axis sizes are made of numbers and parameters only",
  },
  "not-a-value": {
    title: "`{name}` is {kind}, not a value",
    label: "cannot be used here",
    help: null,
  },
  "operand-type": {
    title: "`{op}` does not take {found}",
    label: "{found}",
    help: "expected {expected}",
  },
  "division-by-zero": { title: "division by zero", label: "the divisor is 0 here", help: null },
  "not-finite": { title: "the value is not finite", label: "gives {value}", help: null },
  "function-unknown": { title: "unknown function `{name}`", label: "not defined here", help: null },
  "definition-too-deep": {
    title: "`{name}` is defined by itself",
    label: "this use never ends",
    help: "a definition may use only what does not use it",
  },
  "argument-unknown": {
    title: "`{callee}` has no parameter `{name}`",
    label: "unknown",
    help: "its parameters: {parameters}",
  },
  "argument-missing": {
    title: "`{callee}` needs `{name}`",
    label: "`{name}` is not given",
    help: "write `{name}: …`",
  },
  "argument-repeated": { title: "`{name}` is given twice", label: "again here", help: "keep one" },
  "argument-count": {
    title: "`{callee}` takes {count} arguments",
    label: "one too many",
    help: "its parameters: {parameters}",
  },
  "argument-order": {
    title: "an argument without a name follows a named one",
    label: "which parameter is this?",
    help: "name it, or put it first",
  },
  "argument-type": {
    title: "`{name}` must be {expected}",
    label: "this is {found}",
    help: null,
  },
  "count-not-whole": {
    title: "`{name}` must be a whole number",
    label: "gives {value}",
    help: "a Count is 0, 1, 2, …",
  },
  "count-negative": {
    title: "`{name}` must not be negative",
    label: "gives {value}",
    help: "a Count is 0, 1, 2, …",
  },
  "type-unknown": {
    title: "unknown type `{name}`",
    label: "not a type",
    help: "types: Count, Real, Bool, Text, Pair, Attention, Rotation, Module",
  },
  "setting-unknown": {
    title: "`{callee}` has no setting `{name}`",
    label: "unknown",
    help: "its settings: {parameters}",
  },
  "setting-missing": {
    title: "`{callee}` needs the setting `{name}`",
    label: "`{name}` is not set",
    help: "add `{name} …`",
  },
  "setting-repeated": { title: "`{name}` is set twice", label: "again here", help: "keep one" },

  // ── Models ──
  "model-unknown": { title: "no model `{name}`", label: "not defined here", help: null },
  "model-base": {
    title: "`{name}` is not a module",
    label: "a model is made from a module",
    help: "write `decoder`, or the name of a `module`",
  },
  "pretrained-unknown": {
    title: 'the settings of "{id}" are not known',
    label: "no `pretrained` item has this name",
    help: 'declare them: `pretrained "{id}" = decoder {{ … }}`',
  },
  "module-clause": { title: "a module has {what}", label: "{label}", help: null },
  "module-recursive": {
    title: "module `{name}` contains itself",
    label: "one level deeper again",
    help: "a module's children must be other modules",
  },
  "module-size": {
    title: "the model has more than {limit} module instances",
    label: "repeated {count} times",
    help: "lower the count",
  },
  "name-repeated": { title: "`{name}` is defined twice", label: "again here", help: "rename one" },
  "child-absent": {
    title: "`{name}` does not exist for these settings",
    label: "left out by its `where`",
    help: "use it only under the same condition",
  },
  "axis-unknown": {
    title: "axis `{name}` has no size",
    label: "its size is not stated",
    help: "state it at its first use: `{name}: …`",
  },
  "axis-mismatch": {
    title: "axis `{name}` has two sizes, {left} and {right}",
    label: "{right} here, {left} before",
    help: null,
  },
  "axis-absent": {
    title: "there is no axis `{name}` to reduce",
    label: "the body has {axes}",
    help: null,
  },
  "axes-mismatch": {
    title: "expected {expected}, found {found}",
    label: "{found}",
    help: null,
  },
  "split-size": {
    title: "cannot split {found} numbers into {expected}",
    label: "{found} numbers",
    help: "the sizes of the new axes must multiply to {found}",
  },
  "init-unknown": {
    title: "unknown start `{name}`",
    label: "not a way to start weights",
    help: "zeros, ones, constant(x), normal(deviation), uniform(limit)",
  },
  "param-without-init": {
    title: "`{name}` has no start",
    label: "how do its numbers begin?",
    help: "write `= normal(0.02)`, `= zeros` or `= ones`",
  },
  "input-count": {
    title: "`{callee}` takes {count} inputs",
    label: "{found} given",
    help: null,
  },
  "output-shape": {
    title: "a model gives one score per token of the vocabulary",
    label: "gives {found}",
    help: "the output of a model has one axis, over the vocabulary",
  },
  "not-in-module": {
    title: "`{what}` cannot be used in a module",
    label: "not here",
    help: null,
  },
  "value-not-real": {
    title: "a number is needed here",
    label: "this is true or false",
    help: "write `if … then 1 else 0`",
  },
  "attention-inputs": {
    title: "an attention takes Q, K and V",
    label: "{problem}",
    help: "`attention(Q, K, V)` with Q over [heads, size], K and V over [key-value heads, size]",
  },
  "heads-not-multiple": {
    title: "{heads} heads do not share {kvHeads} key-value heads evenly",
    label: "{heads} / {kvHeads} is not whole",
    help: "choose a number of heads that is a multiple of the key-value heads",
  },
  "tokens-mismatch": {
    title: "two texts of different length meet",
    label: "{left} and {right} tokens before the text",
    help: "put the learned vectors before both",
  },

  // ── Adapters ──
  "adapter-unknown": { title: "no adapter `{name}`", label: "not defined here", help: null },
  "adapter-site-unknown": {
    title: "no site `{pattern}` in {model}",
    label: "matches nothing",
    help: null,
  },
  "adapter-site-kind": {
    title: "`{adapter}` fits {expected} sites",
    label: "`{site}` is {found} site",
    help: null,
  },
  "adapter-overlap": {
    title: "`{adapter}` is attached to `{site}` twice",
    label: "again here",
    help: "keep one",
  },
  "adapter-train-overlap": {
    title: "`{site}` is adapted and trained as well",
    label: "its own weights train here",
    help: "an adapter stands beside frozen weights: drop one of the two",
  },
  "adapter-clause": { title: "`{adapter}` {problem}", label: "not on {site} sites", help: null },
  "adapter-shape": {
    title: "`{adapter}` changes the shape of `{site}`",
    label: "{found} instead of {expected}",
    help: "an adapter keeps the axes of what it replaces",
  },
  "site-kind-unknown": {
    title: "unknown kind of site `{name}`",
    label: "not a kind",
    help: "kinds: linear, embed, attention, residual",
  },

  // ── Recipes ──
  "train-clause-missing": {
    title: "the recipe has no `{clause}`",
    label: "needs a `{clause}` line",
    help: "add `{example}`",
  },
  "train-clause-repeated": {
    title: "`{clause}` is stated twice",
    label: "again here",
    help: "keep one",
  },
  "train-repeated": { title: "`{name}` has two recipes", label: "again here", help: "keep one" },
  "loss-unknown": {
    title: "unknown loss `{name}`",
    label: "not a loss",
    help: "write `loss next_token`",
  },
  "loss-sees-target": {
    title: "the attention sees tokens it has to predict",
    label: "counts targets that are visible",
    help: "write `loss next_token except ahead`",
  },
  "length-too-long": {
    title: "rows of {length} tokens do not fit {model}",
    label: "its length is {limit}",
    help: "lower `length` here or raise it in the model",
  },
  "batch-not-whole": {
    title: "{tokens} tokens are not a whole number of rows",
    label: "rows have {length} tokens",
    help: "choose a multiple of {length}, or count `sequences`",
  },
  "accumulate-not-whole": {
    title: "{sequences} rows cannot be split into {accumulate} runs",
    label: "not a divisor of {sequences}",
    help: null,
  },
  "value-out-of-range": {
    title: "`{name}` must be {expected}",
    label: "gives {value}",
    help: null,
  },
  "schedule-unknown": {
    title: "unknown schedule `{name}`",
    label: "not a shape",
    help: "shapes: constant, cosine, linear",
  },
  "precision-unknown": {
    title: "unknown precision `{name}`",
    label: "not a precision",
    help: "write `f32` or `bf16`",
  },
  "precision-widened": {
    severity: "remark",
    title: "the cpu computes in f32 where the recipe says {name}",
    label: "wider than asked",
    help: "results are those of f32; memory is that of f32",
  },
  "recompute-unknown": {
    title: "unknown recompute policy `{name}`",
    label: "not a policy",
    help: "write `none` or `layers`",
  },
  "optimizer-without-lr": {
    title: "optimizer `{name}` has no parameter `lr`",
    label: "the schedule has nothing to set",
    help: "declare `lr: Real`",
  },
  "optimizer-without-update": {
    title: "optimizer `{name}` has no single `update`",
    label: "{found} `update` clauses",
    help: "say the new weight once: `update w - lr * g`",
  },
  "optimizer-expression": {
    title: "`{what}` cannot be used in an optimizer",
    label: "not here",
    help: "an optimizer sees one element: `w`, `g`, `step`, its states and parameters",
  },
  "optimizer-unknown": { title: "no optimizer `{name}`", label: "not defined here", help: null },
  "nothing-trains": {
    title: "nothing in {model} trains",
    label: "every weight is frozen",
    help: "attach an adapter, or name sites with `train`",
  },
  "task-unknown": { title: "unknown task `{name}`", label: "no such task", help: "tasks: {tasks}" },
  "metric-unknown": { title: "unknown metric `{name}`", label: "no such metric", help: "metrics: {metrics}" },
  "lengths-not-doubling": {
    title: "{to} is not reached from {from} by doubling",
    label: "not {from} times a power of two",
    help: null,
  },
  "override-unknown": {
    title: "nothing is called `{path}`",
    label: "no such setting",
    help: "write `Model.setting=value`, `train.clause=value` or `train.optimizer.lr=value`",
  },
  "override-ambiguous": {
    title: "`{path}` could mean several recipes",
    label: "{names}",
    help: "write the model's name first: `{example}`",
  },
} as const satisfies Record<string, MistakeText>;

export type MistakeCode = keyof typeof mistakeTexts;
