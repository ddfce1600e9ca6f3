/** Prints a file in canonical form: the text `lctx fmt` writes. */
import type { AstFile, Item, Parameter } from "./ast.ts";
import { type AnyClause, assignment, clauseUnit, printParameters } from "./print-clauses.ts";
import { printText } from "./print-expr.ts";
import { LayoutState, type Source, type Unit, widest } from "./print-layout.ts";
import { taskUnit } from "./print-tasks.ts";
import { adaptUnit, evaluateUnit, settingUnits, trainUnit } from "./print-recipes.ts";

interface Head {
  readonly text: string;
  readonly end: number;
}

/** `word name(…)`; `emptyParens` writes `()` when there are no parameters. */
function headOf(
  word: string,
  item: { readonly name: { readonly text: string; readonly span: { readonly end: number } } },
  parameters: readonly Parameter[],
  state: LayoutState,
  options: { readonly emptyParens: boolean; readonly tail: number },
): Head {
  const start = `${word} ${item.name.text}`;
  const head = parameters.length === 0 && options.emptyParens ? `${start}()` : start;
  return {
    text: printParameters(head, parameters, state, 0, item.name.span.end, options.tail),
    end: parameters.at(-1)?.span.end ?? item.name.span.end,
  };
}

function clauseBlock(
  head: Head,
  item: Item & { readonly clauses: readonly AnyClause[] },
  state: LayoutState,
): string {
  return state.block({
    head: head.text,
    from: head.end,
    to: item.span.end,
    indent: 0,
    separator: null,
    units: (indent) => item.clauses.map((clause) => clauseUnit(clause, state, indent)),
  });
}

function itemText(item: Item, state: LayoutState): string {
  switch (item.kind) {
    case "import": {
      const from =
        item.from.kind === "string"
          ? printText(item.from.value)
          : item.from.path.map((part) => part.text).join(".");
      const after = item.from.kind === "string" ? item.from.span.end : item.from.path.at(-1)!.span.end;
      const line = `import ${from} { ${item.names.map((name) => name.text).join(", ")} }`;
      if (line.length <= widest && !state.hasComments(after, item.span.end)) return line;
      const units = item.names.map((name, index): Unit => ({
        start: name.span.start,
        end: name.span.end,
        text: name.text + (index < item.names.length - 1 ? "," : ""),
        align: null,
      }));
      return `import ${from} {\n${state.lines(units, after, item.span.end, 2)}}`;
    }
    case "mask":
    case "score":
    case "function": {
      const word = item.kind === "function" ? "let" : item.kind;
      const head = headOf(word, item, item.parameters, state, { emptyParens: false, tail: 2 });
      return assignment(head.text, head.end, item.body, state, 0).text;
    }
    case "rotation": {
      const head = headOf("rotation", item, item.parameters, state, { emptyParens: false, tail: 2 });
      const [angle] = item.clauses;
      if (item.short && angle?.kind === "angle")
        return assignment(head.text, head.end, angle.value, state, 0).text;
      return clauseBlock(head, item, state);
    }
    case "attention":
      return clauseBlock(
        headOf("attention", item, item.parameters, state, { emptyParens: true, tail: 2 }),
        item,
        state,
      );
    case "module":
      return clauseBlock(
        headOf("module", item, item.parameters, state, { emptyParens: true, tail: 2 }),
        item,
        state,
      );
    case "adapter": {
      const head = headOf("adapter", item, item.parameters, state, {
        emptyParens: true,
        tail: 6 + item.site.text.length,
      });
      return clauseBlock({ text: `${head.text} on ${item.site.text}`, end: item.site.span.end }, item, state);
    }
    case "optimizer":
      return clauseBlock(
        headOf("optimizer", item, item.parameters, state, { emptyParens: true, tail: 2 }),
        item,
        state,
      );
    case "task": {
      const head = headOf("task", item, item.parameters, state, { emptyParens: true, tail: 2 });
      return state.block({
        head: head.text,
        from: head.end,
        to: item.span.end,
        indent: 0,
        separator: null,
        units: (indent) => item.clauses.map((clause) => taskUnit(clause, state, indent)),
      });
    }
    case "pretrained":
    case "model": {
      const base = item.base;
      const head =
        item.kind === "pretrained"
          ? { text: `pretrained ${printText(item.id.value)} = ${item.base.text}`, end: item.base.span.end }
          : "id" in base
            ? {
                text: `model ${item.name.text} = pretrained ${printText(base.id.value)}`,
                end: base.id.span.end,
              }
            : "name" in base
              ? { text: `model ${item.name.text} = ${base.name.text}`, end: base.name.span.end }
              : { text: `model ${item.name.text}`, end: item.name.span.end };
      return state.block({
        head: head.text,
        from: head.end,
        to: item.span.end,
        indent: 0,
        separator: "   ",
        units: (indent) => settingUnits(item.settings, state, indent),
      });
    }
    case "adapt":
      return state.block({
        head: `adapt ${item.model.text}`,
        from: item.model.span.end,
        to: item.span.end,
        indent: 0,
        separator: null,
        units: (indent) => item.clauses.map((clause) => adaptUnit(clause, state, indent)),
      });
    case "train":
      return state.block({
        head: `train ${item.model.text}`,
        from: item.model.span.end,
        to: item.span.end,
        indent: 0,
        separator: null,
        units: (indent) => item.clauses.map((clause) => trainUnit(clause, state, indent)),
      });
    case "evaluate":
      return state.block({
        head: `evaluate ${item.model.text}`,
        from: item.model.span.end,
        to: item.span.end,
        indent: 0,
        separator: "   ",
        units: (indent) => item.clauses.map((clause) => evaluateUnit(clause, state, indent)),
      });
  }
  return item satisfies never;
}

/** The canonical text of a file; `text` is what it was read from, or empty for a made-up Ast. */
export function printFile(file: AstFile, text: string): string {
  const source: Source = { text, comments: text === "" ? [] : file.comments };
  const state = new LayoutState(source);
  const kinds = new Map<number, Item["kind"]>();
  const units = file.items.map((item, index): Unit => {
    kinds.set(index, item.kind);
    return { start: item.span.start, end: item.span.end, text: itemText(item, state), align: null };
  });
  const kindOf = new Map(units.map((unit, index) => [unit, kinds.get(index)!]));
  // Items of several lines stand apart from their neighbours; imports and one-line definitions may stand together.
  const apart = (before: Unit, after: Unit): boolean => {
    const a = kindOf.get(before)!;
    const b = kindOf.get(after)!;
    if (a === "import" || b === "import") return a !== b;
    return before.text.includes("\n") || after.text.includes("\n") || a !== b;
  };
  return state.lines(units, 0, text.length, 0, apart);
}
