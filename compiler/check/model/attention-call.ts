/** Reads a call of an attention: its operands, its rotation, its own tables, and what adapters put before the text. */
import type { CallExpr } from "../../../grammar/ast.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { AttentionInstance, AttentionShape, RotationMeaning } from "../../ir/attention-meaning.ts";
import { mistake } from "../mistakes.ts";
import { evaluateStatic } from "../static.ts";
import { describeValue } from "../static-types.ts";
import type { MethodValue, StaticValue } from "../static-value.ts";
import { inLayer } from "../table-files.ts";
import type { BodyScope } from "./body-scope.ts";
import { joinPath, type Instance } from "./instance.ts";
import { clausesOf, type AdapterScope, type ReadContext } from "./read-context.ts";
import { showAxes, type Term, type TermAxis } from "./term.ts";
import { materialize, termValue, type Place, type Value } from "./value.ts";

/** Documents are given for the text's positions only, and tables are made of these: what tokens before it stand in the way of. */
function readsText({ phases }: AttentionInstance): "documents" | "tables" | null {
  const all = Object.values(phases);
  const buffers = all.flatMap((phase) => phase.buffers);
  if (buffers.some(({ kind }) => kind === "node") || all.some(({ teachers }) => teachers.length > 0))
    return "tables";
  return buffers.some(({ kind }) => kind !== "parameter") ? "documents" : null;
}

/** `attention(Q, K, V, rope: rope)`. */
export function readAttention(
  everywhere: MethodValue,
  call: CallExpr,
  instance: Instance,
  scope: BodyScope,
  scopes: AdapterScope,
  context: ReadContext,
): Value | null {
  const { reporter } = context;
  const method = inLayer(everywhere, instance.repeated, call.span, reporter);
  if (method === null) return null;
  const place: Place = { site: instance.path, span: call.span };
  const plain = call.arguments.filter((argument) => argument.name === null);
  const wrong = (problem: string): null => {
    mistake(reporter, "attention-inputs", call.span, { problem });
    return null;
  };
  if (plain.length !== 3) return wrong(`${plain.length} tensors given`);
  const terms = plain.map((argument) => {
    const value = scope.evaluate(argument.value, scope);
    return value === null ? null : materialize(value, place, reporter);
  });
  const [query, key, value] = terms;
  if (!query || !key || !value) return null;
  if (terms.some((term) => term!.axes.length !== 2)) return wrong("each has a head axis and a size axis");
  const [heads, dims] = query.axes as [TermAxis, TermAxis];
  const kvHeads = key.axes[0]!;
  if (key.axes[1]!.size !== dims.size)
    return wrong(`queries of size ${dims.size}, keys of size ${key.axes[1]!.size}`);
  if (value.axes[0]!.size !== kvHeads.size)
    return wrong(`${kvHeads.size} key heads, ${value.axes[0]!.size} value heads`);
  if (heads.size % kvHeads.size !== 0) {
    mistake(reporter, "heads-not-multiple", call.span, { heads: heads.size, kvHeads: kvHeads.size });
    return null;
  }
  let rotation: RotationMeaning | null = null;
  let turning: MethodValue | null = null;
  let scale = 1 / Math.sqrt(dims.size);
  for (const argument of call.arguments) {
    if (argument.name === null) continue;
    const statics = { environment: scope.environment, values: scope.statics };
    const given = evaluateStatic(argument.value, statics, reporter);
    if (given.kind === "unknown") return null;
    const name = argument.name.text;
    if (name === "rope" && given.kind === "method" && given.definition.item.kind === "rotation") {
      rotation = cached(context.rotations, methodKey(given, dims.size), () =>
        context.methods.instantiateRotation(given, dims.size, reporter),
      );
      if (rotation === null) return null;
      turning = given;
    } else if (name === "scale" && given.kind === "number") scale = given.value;
    else if (name === "rope" || name === "scale") {
      const expected = name === "rope" ? "a rotation" : "a number";
      mistake(reporter, "argument-type", argument.value.span, {
        name,
        expected,
        found: describeValue(given),
      });
      return null;
    } else {
      mistake(reporter, "argument-unknown", argument.name.span, {
        callee: "attention",
        name,
        parameters: "rope, scale",
      });
      return null;
    }
  }
  const law = turning;
  const shape: AttentionShape = {
    heads: heads.size,
    kvHeads: kvHeads.size,
    headSize: dims.size,
    length: context.length,
    valueSize: value.axes[1]!.size,
    scale,
    rotation:
      law === null
        ? null
        : (size) =>
            cached(context.rotations, methodKey(law, size), () =>
              context.methods.instantiateRotation(law, size, reporter),
            ),
  };
  const sizes = [shape.heads, shape.kvHeads, shape.headSize, value.axes[1]!.size, scale];
  const cacheKey = `${methodKey(method, ...sizes)} ${law === null ? "" : methodKey(law)}`;
  const meaning = cached(context.attentions, cacheKey, () =>
    context.methods.instantiateAttention(method, shape, reporter),
  );
  if (meaning === null) return null;
  const read = query.plus > 0 ? readsText(meaning) : null;
  if (read !== null) {
    const span = context.plusSpan ?? call.span;
    mistake(reporter, `adapter-tokens-${read}`, span, { attention: method.definition.name });
    return null;
  }
  for (const table of meaning.parameters) {
    if (instance.attentionTables.has(table.name)) continue;
    const { axes, init, span } = table;
    const parameter = { path: joinPath(instance.path, table.name), axes, init, trainable: true, span };
    instance.attentionTables.set(table.name, {
      kind: "parameter",
      parameter,
      axes,
      extent: "model",
      plus: 0,
      site: instance.path,
      span,
    });
  }
  const prepended = readPrepended(instance, kvHeads, key.axes[1]!, value.axes[1]!, scopes, reporter);
  if (prepended === null) return null;
  return termValue(
    {
      kind: "attention",
      query,
      key,
      value,
      instance: meaning,
      tables: instance.attentionTables,
      rotation,
      scale,
      prepended,
      axes: [
        heads,
        value.axes[1]!.name === heads.name ? { ...value.axes[1]!, name: dims.name } : value.axes[1]!,
      ],
      extent: "token",
      plus: query.plus,
      ...place,
    },
    true,
  );
}

/** Learned keys and values that adapters put before the text at this attention; null after a report. */
function readPrepended(
  instance: Instance,
  kvHeads: TermAxis,
  keySize: TermAxis,
  valueSize: TermAxis,
  scopes: AdapterScope,
  reporter: Reporter,
): readonly { key: Term; value: Term }[] | null {
  const found: { key: Term; value: Term }[] = [];
  for (const attachment of instance.attachments) {
    for (const clause of clausesOf(attachment)) {
      if (clause.kind !== "prepend") continue;
      const scope = scopes(attachment);
      const place: Place = {
        site: joinPath(instance.path, attachment.method.definition.name),
        span: clause.span,
      };
      const part = (target: string): Term | null => {
        const written = clause.parts.find((p) => p.target.text === target);
        const value = written === undefined ? null : scope.evaluate(written.value, scope);
        return value === null ? null : materialize(value, place, reporter);
      };
      const key = part("keys");
      const value = part("values");
      if (key === null || value === null) {
        const holes = {
          adapter: attachment.method.definition.name,
          problem: "prepends no keys and values",
          site: instance.kind,
        };
        mistake(reporter, "adapter-clause", clause.span, holes);
        return null;
      }
      const fitsSite = (term: Term, size: TermAxis): boolean =>
        term.extent === "model" &&
        term.axes.length === 3 &&
        term.axes[1]!.size === kvHeads.size &&
        term.axes[2]!.size === size.size &&
        term.axes[0]!.size === key.axes[0]!.size;
      if (!fitsSite(key, keySize) || !fitsSite(value, valueSize)) {
        const expected = `[p, ${kvHeads.name}: ${kvHeads.size}, ${keySize.name}: ${keySize.size}]`;
        mistake(reporter, "axes-mismatch", clause.span, { expected, found: showAxes(key.axes) });
        return null;
      }
      found.push({ key, value });
    }
  }
  return found;
}

function cached<T>(known: Map<string, T | null>, key: string, make: () => T | null): T | null {
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = make();
  known.set(key, made);
  return made;
}

/** Equal for equal methods with equal arguments. */
function methodKey(method: MethodValue, ...sizes: readonly number[]): string {
  const show = (value: StaticValue): unknown =>
    value.kind === "method" ? methodKey(value) : value.kind === "tuple" ? value.items.map(show) : value;
  const where = method.definition.item.span;
  const given = [...method.arguments].map(([name, value]) => [name, show(value)]);
  return JSON.stringify([method.definition.name, where.file, where.start, given, sizes]);
}
