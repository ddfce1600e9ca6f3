/** Grammar of files and items; one shared parser instance does all reading. */
import type { ParserMethod } from "chevrotain";
import type {
  AdaptClause,
  AdapterClause,
  AttentionClause,
  EvaluateClause,
  Identifier,
  ImportItem,
  Item,
  LetClause,
  ModelItem,
  ModuleClause,
  RotationClause,
  Setting,
  StateClause,
  StringExpr,
  TrainClause,
  UpdateClause,
} from "./ast.ts";
import { RecipeParser } from "./parse-recipes.ts";
import * as t from "./tokens.ts";

const noItem = (): null => null;

/** An item before its documentation is attached. */
export type BareItem = Item;
type ItemRule = ParserMethod<[], Item | null>;

export class LctxParser extends RecipeParser {
  constructor() {
    super();
    this.performSelfAnalysis();
  }

  readonly importItem: ItemRule = this.RULE(
    "importItem",
    (): Item | null => {
      const start = this.here();
      this.CONSUME(t.keywords.import);
      const from = this.OR<ImportItem["from"]>([
        { ALT: (): StringExpr => this.SUBRULE(this.text) },
        {
          ALT: () => {
            const path = [this.identifier(this.CONSUME1(t.Name))];
            this.MANY(() => {
              this.CONSUME(t.Dot);
              path.push(this.identifier(this.CONSUME2(t.Name)));
            });
            return { kind: "library", path };
          },
        },
      ]);
      const names: Identifier[] = [];
      this.CONSUME(t.LeftBrace);
      this.MANY1({
        GATE: () => this.LA(1).tokenType !== t.RightBrace,
        DEF: () => {
          names.push(this.identifier(this.CONSUME3(t.Name)));
          this.OPTION(() => this.CONSUME(t.Comma));
        },
      });
      this.CONSUME(t.RightBrace);
      return { kind: "import", from, names, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  /** `mask name(…) = e`, `score name(…) = e`, `let name(…) = e`. */
  readonly definitionItem: ItemRule = this.RULE(
    "definitionItem",
    (): Item | null => {
      const start = this.here();
      const word = this.OR([
        { ALT: () => this.CONSUME(t.keywords.mask) },
        { ALT: () => this.CONSUME(t.keywords.score) },
        { ALT: () => this.CONSUME(t.keywords.let) },
      ]);
      const name = this.name();
      const parameters = this.optionalParameters();
      this.CONSUME(t.Equal);
      const body = this.SUBRULE(this.expression);
      const kind = word.image === "mask" ? "mask" : word.image === "score" ? "score" : "function";
      return { kind, name, parameters, body, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  readonly rotationItem: ItemRule = this.RULE(
    "rotationItem",
    (): Item | null => {
      const start = this.here();
      this.CONSUME(t.keywords.rotation);
      const name = this.name();
      const parameters = this.optionalParameters();
      const clauses: RotationClause[] = [];
      let short = false;
      this.OR([
        {
          ALT: () => {
            this.CONSUME(t.Equal);
            const value = this.SUBRULE(this.expression);
            short = true;
            clauses.push({ kind: "angle", value, span: value?.span ?? this.since(start) });
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.LeftBrace);
            this.MANY(() => {
              const clause = this.SUBRULE(this.rotationClause);
              if (clause) clauses.push(clause);
            });
            this.CONSUME(t.RightBrace);
          },
        },
      ]);
      return { kind: "rotation", name, parameters, clauses, short, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  readonly attentionItem: ItemRule = this.RULE(
    "attentionItem",
    (): Item | null => {
      const start = this.here();
      const clauses: AttentionClause[] = [];
      this.CONSUME(t.keywords.attention);
      const name = this.name();
      const parameters = this.optionalParameters();
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const clause = this.SUBRULE(this.attentionClause);
        if (clause) clauses.push(clause);
      });
      this.CONSUME(t.RightBrace);
      return { kind: "attention", name, parameters, clauses, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  readonly moduleItem: ItemRule = this.RULE(
    "moduleItem",
    (): Item | null => {
      const start = this.here();
      const clauses: ModuleClause[] = [];
      this.CONSUME(t.keywords.module);
      const name = this.name();
      const parameters = this.optionalParameters();
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const clause = this.SUBRULE(this.moduleClause);
        if (clause) clauses.push(clause);
      });
      this.CONSUME(t.RightBrace);
      return { kind: "module", name, parameters, clauses, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  readonly adapterItem: ItemRule = this.RULE(
    "adapterItem",
    (): Item | null => {
      const start = this.here();
      const clauses: AdapterClause[] = [];
      this.CONSUME(t.keywords.adapter);
      const name = this.name();
      const parameters = this.optionalParameters();
      this.CONSUME(t.keywords.on);
      const site = this.identifier(this.CONSUME1(t.Name));
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const clause = this.SUBRULE(this.adapterClause);
        if (clause) clauses.push(clause);
      });
      this.CONSUME(t.RightBrace);
      return { kind: "adapter", name, parameters, site, clauses, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  readonly optimizerItem: ItemRule = this.RULE(
    "optimizerItem",
    (): Item | null => {
      const start = this.here();
      const clauses: (LetClause | StateClause | UpdateClause)[] = [];
      this.CONSUME(t.keywords.optimizer);
      const name = this.name();
      const parameters = this.optionalParameters();
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const clause = this.SUBRULE(this.optimizerClause);
        if (clause) clauses.push(clause);
      });
      this.CONSUME(t.RightBrace);
      return { kind: "optimizer", name, parameters, clauses, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  /** `{ vocab 256   layers 4 }`. */
  readonly settings: ParserMethod<[], Setting[]> = this.RULE(
    "settings",
    (): Setting[] => {
      const list: Setting[] = [];
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const start = this.here();
        const name = this.name();
        const value = this.SUBRULE(this.expression);
        list.push({ name, value, span: this.since(start) });
      });
      this.CONSUME(t.RightBrace);
      return list;
    },
    { recoveryValueFunc: (): Setting[] => [] },
  );

  readonly pretrainedItem: ItemRule = this.RULE(
    "pretrainedItem",
    (): Item | null => {
      const start = this.here();
      this.CONSUME(t.keywords.pretrained);
      const id = this.SUBRULE(this.text);
      this.CONSUME(t.Equal);
      const base = this.name();
      const settings = this.SUBRULE(this.settings);
      return { kind: "pretrained", id, base, settings, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  readonly modelItem: ItemRule = this.RULE(
    "modelItem",
    (): Item | null => {
      const start = this.here();
      this.CONSUME(t.keywords.model);
      const name = this.name();
      this.CONSUME(t.Equal);
      const base = this.OR<ModelItem["base"]>([
        {
          ALT: () => {
            this.CONSUME(t.keywords.pretrained);
            return { kind: "pretrained", id: this.SUBRULE(this.text) };
          },
        },
        { ALT: () => ({ kind: "module", name: this.identifier(this.CONSUME1(t.Name)) }) },
      ]);
      const settings = this.SUBRULE(this.settings);
      return { kind: "model", name, base, settings, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  readonly adaptItem: ItemRule = this.RULE(
    "adaptItem",
    (): Item | null => {
      const start = this.here();
      const clauses: AdaptClause[] = [];
      this.CONSUME(t.keywords.adapt);
      const model = this.name();
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const clause = this.SUBRULE(this.adaptClause);
        if (clause) clauses.push(clause);
      });
      this.CONSUME(t.RightBrace);
      return { kind: "adapt", model, clauses, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  readonly trainItem: ItemRule = this.RULE(
    "trainItem",
    (): Item | null => {
      const start = this.here();
      const clauses: TrainClause[] = [];
      this.CONSUME(t.keywords.train);
      const model = this.name();
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const clause = this.SUBRULE(this.trainClause);
        if (clause) clauses.push(clause);
      });
      this.CONSUME(t.RightBrace);
      return { kind: "train", model, clauses, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  readonly evaluateItem: ItemRule = this.RULE(
    "evaluateItem",
    (): Item | null => {
      const start = this.here();
      const clauses: EvaluateClause[] = [];
      this.CONSUME(t.keywords.evaluate);
      const model = this.name();
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const clause = this.SUBRULE(this.evaluateClause);
        if (clause) clauses.push(clause);
      });
      this.CONSUME(t.RightBrace);
      return { kind: "evaluate", model, clauses, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noItem },
  );

  readonly item: ItemRule = this.RULE(
    "item",
    (): Item | null =>
      this.OR<Item | null>([
        { ALT: () => this.SUBRULE(this.importItem) },
        { ALT: () => this.SUBRULE(this.definitionItem) },
        { ALT: () => this.SUBRULE(this.rotationItem) },
        { ALT: () => this.SUBRULE(this.attentionItem) },
        { ALT: () => this.SUBRULE(this.moduleItem) },
        { ALT: () => this.SUBRULE(this.adapterItem) },
        { ALT: () => this.SUBRULE(this.optimizerItem) },
        { ALT: () => this.SUBRULE(this.taskItem) },
        { ALT: () => this.SUBRULE(this.pretrainedItem) },
        { ALT: () => this.SUBRULE(this.modelItem) },
        { ALT: () => this.SUBRULE(this.adaptItem) },
        { ALT: () => this.SUBRULE(this.trainItem) },
        { ALT: () => this.SUBRULE(this.evaluateItem) },
      ]),
    { recoveryValueFunc: noItem },
  );

  readonly file: ParserMethod<[], Item[]> = this.RULE(
    "file",
    (): Item[] => {
      const items: Item[] = [];
      this.MANY(() => {
        const item = this.SUBRULE(this.item);
        if (item) items.push(item);
      });
      return items;
    },
    { recoveryValueFunc: (): Item[] => [] },
  );
}
