/**
 * Files in memory that know what a power cut leaves: content that was synced, names whose folder was synced, and of the
 * rest any part. `crash` gives one of the states a disk may be in.
 */
import { dirname } from "node:path";
import type { Files } from "../../runtime/checkpoint/files.ts";
import type { RandomStream } from "../../runtime/random/stream.ts";
import { systemError } from "./faulty-files.ts";

interface Content {
  data: Buffer;
  /** What was synced last; null: nothing. */
  durable: Buffer | null;
}

type Tree = Map<string, Content | "folder">;

/** A change of names that its folders have not been synced after. */
interface Pending {
  /** Folders whose sync makes it durable. */
  readonly folders: Set<string>;
  readonly apply: (tree: Tree) => void;
}

function move(tree: Tree, from: string, to: string): void {
  for (const [path, entry] of [...tree]) {
    if (path !== from && !path.startsWith(`${from}/`)) continue;
    tree.delete(path);
    tree.set(to + path.slice(from.length), entry);
  }
}

function removeAll(tree: Tree, path: string): void {
  for (const each of [...tree.keys()]) if (each === path || each.startsWith(`${path}/`)) tree.delete(each);
}

export class CrashFiles implements Files {
  readonly #now: Tree;
  readonly #durable: Tree;
  #pending: Pending[] = [];
  readonly #open = new Map<number, string>();
  #next = 1;
  /** Operations that changed something or made it durable. */
  operations = 0;
  /** Called after each such operation. */
  watch: (files: CrashFiles) => void = () => undefined;

  constructor(tree: Tree = new Map([["/", "folder"]])) {
    this.#now = new Map(tree);
    this.#durable = new Map(tree);
  }

  makeFolder(path: string): void {
    if (this.#now.has(path)) return;
    this.makeFolder(dirname(path));
    this.#change([dirname(path)], (tree) => void tree.set(path, "folder"));
  }

  create(path: string): number {
    if (this.#now.has(path)) throw systemError("EEXIST");
    if (this.#now.get(dirname(path)) !== "folder") throw systemError("ENOENT");
    const content: Content = { data: Buffer.alloc(0), durable: null };
    this.#change([dirname(path)], (tree) => void tree.set(path, content));
    return this.openForSync(path);
  }

  openForSync(path: string): number {
    if (!this.#now.has(path)) throw systemError("ENOENT");
    this.#open.set(this.#next, path);
    return this.#next++;
  }

  write(descriptor: number, bytes: Uint8Array, offset: number): number {
    const content = this.#now.get(this.#open.get(descriptor)!) as Content;
    content.data = Buffer.concat([content.data, bytes.subarray(offset)]);
    this.#done();
    return bytes.length - offset;
  }

  sync(descriptor: number): void {
    const path = this.#open.get(descriptor)!;
    const entry = this.#now.get(path)!;
    if (entry === "folder") {
      this.#pending = this.#pending.filter((pending) => {
        pending.folders.delete(path);
        if (pending.folders.size === 0) pending.apply(this.#durable);
        return pending.folders.size > 0;
      });
    } else entry.durable = entry.data;
    this.#done();
  }

  close(descriptor: number): void {
    this.#open.delete(descriptor);
  }

  rename(from: string, to: string): void {
    if (!this.#now.has(from)) throw systemError("ENOENT");
    this.#change([dirname(from), dirname(to)], (tree) => move(tree, from, to));
  }

  remove(path: string): void {
    if (!this.#now.has(path)) return;
    this.#change([dirname(path)], (tree) => removeAll(tree, path));
  }

  list(path: string): string[] {
    if (!this.#now.has(path)) throw systemError("ENOENT");
    return [...this.#now.keys()]
      .filter((each) => each !== path && dirname(each) === path)
      .map((each) => each.slice(path.length + 1));
  }

  read(path: string): Buffer {
    const entry = this.#now.get(path);
    if (entry === undefined || entry === "folder") throw systemError("ENOENT");
    return entry.data;
  }

  exists(path: string): boolean {
    return this.#now.has(path);
  }

  /** A disk after a power cut now: each unsynced change of names may or may not be there, unsynced content may be torn. */
  crash(random: RandomStream): CrashFiles {
    const tree: Tree = new Map(this.#durable);
    const keep = random.uniform();
    for (const pending of this.#pending) if (random.uniform() < keep) pending.apply(tree);
    for (const [path, entry] of tree) {
      if (entry === "folder") continue;
      // A synced file holds what was synced; an unsynced one any beginning of what was written, in sectors, or zeros.
      let data = entry.durable;
      if (data === null) {
        const length = Math.min(
          entry.data.length,
          512 * random.below(Math.ceil(entry.data.length / 512) + 1),
        );
        data = random.uniform() < 0.3 ? Buffer.alloc(length) : entry.data.subarray(0, length);
      }
      tree.set(path, { data, durable: data });
    }
    return new CrashFiles(tree);
  }

  #change(folders: readonly string[], apply: (tree: Tree) => void): void {
    apply(this.#now);
    this.#pending.push({ folders: new Set(folders), apply });
    this.#done();
  }

  #done(): void {
    this.operations++;
    this.watch(this);
  }
}
