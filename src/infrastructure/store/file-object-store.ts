import { createHash, randomUUID } from "node:crypto";
import { type BigIntStats, constants, createReadStream, createWriteStream } from "node:fs";
import { access, copyFile, link, mkdir, open, readdir, readFile, rename, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StoreUnavailable } from "../../domain/model/failure.ts";
import { errorCode } from "../error-code.ts";
import { hashFile, hashingPassThrough } from "../file-hash.ts";
import { type IndexRow, indexFault, openObjectIndex } from "./file-object-index.ts";
import type { ObjectBody, ObjectInfo, ObjectStore, PutOptions } from "./object-store.ts";

/** Holds the index, its lock, half-written files and those that are being read. Never listed, but part of every copy: metadata of objects lie in it. */
const privateFolder = ".store";

/**
 * A folder as an object store. An object is a plain file at its key, replaced by rename; its etag is its sha256.
 * Conditions hold between processes by a lock that the kernel releases when its holder dies.
 * @throws StoreUnavailable when the folder cannot be written
 */
export async function openFileObjectStore(folder: string): Promise<ObjectStore & Disposable> {
  const root = resolve(folder);
  const pending = join(root, privateFolder, "pending");
  const index = await guard(root, async () => {
    await makeFolder(pending);
    await access(pending, constants.W_OK);
    return openObjectIndex(join(root, privateFolder, "index.sqlite"));
  });

  const store: ObjectStore & Disposable = {
    url: `file:${root}`,
    head: (key) => guard(root, () => head(key)),

    text: (key) => guard(root, () => orAbsent(readFile(pathOf(key), "utf8"))),

    put: (key, body, options = {}) =>
      guard(root, async () => {
        const durable = options.durable ?? true;
        const written = "from" in body ? await takeOver(body, durable) : await writePending(body, durable);
        try {
          return await place(key, written, options);
        } finally {
          await remove(written.path);
        }
      }),

    delete: (key) =>
      guard(root, async () => {
        await remove(pathOf(key));
        index.forget(key);
        await removeEmptyFolders(dirname(pathOf(key)));
      }),

    async *list(prefix) {
      for (const path of await guard(root, () => filesUnder(pathOf(prefix)))) {
        const seen = await guard(root, () => orAbsent(stat(path)));
        if (seen !== undefined) yield { key: keyOf(path), sizeBytes: seen.size, modifiedAt: seen.mtime };
      }
    },

    local: (key) =>
      guard(root, async () => {
        const path = await orAbsent(hold(pathOf(key)));
        return path === undefined ? undefined : { path, [Symbol.asyncDispose]: () => letGo(path) };
      }),

    async *unfinished() {
      for (const name of await guard(root, () => readdir(pending))) {
        const path = join(pending, name);
        const seen = await guard(root, () => orAbsent(stat(path)));
        // The time of the link itself: a name of old bytes that are being read is as old as its ctime.
        if (seen !== undefined) yield { name, startedAt: seen.ctime, discard: () => guard(root, () => remove(path)) };
      }
    },

    now: async () => new Date(),

    [Symbol.dispose]: () => index.close(),
  };
  return store;

  function pathOf(key: string): string {
    const path = resolve(root, key);
    const inside = `${path}${sep}`.startsWith(join(root, privateFolder) + sep);
    if (key !== "" && (!path.startsWith(root + sep) || inside)) {
      throw new StoreUnavailable(`the key ${JSON.stringify(key)} leads out of the store ${root}`);
    }
    return path;
  }

  function keyOf(path: string): string {
    return relative(root, path).split(sep).join("/");
  }

  /** A second name for the bytes that lie there now. */
  async function hold(path: string): Promise<string> {
    const held = join(pending, randomUUID());
    try {
      await link(path, held);
      return held;
    } catch (error) {
      // Where a kernel protects files of other users from links, the file is read as it lies.
      if (errorCode(error) === "EPERM" && (await stat(path)).isFile()) return path;
      throw error;
    }
  }

  async function letGo(path: string): Promise<void> {
    if (dirname(path) === pending) await remove(path);
  }

  async function head(key: string): Promise<ObjectInfo | undefined> {
    const path = pathOf(key);
    const seen = await orAbsent(stat(path, { bigint: true }));
    if (seen === undefined || !seen.isFile()) return undefined;
    const rows = index.find(key);
    const known = rows.find((row) => isSameFile(row, seen));
    // A folder that was copied or restored has other inodes and times: the content decides, and is looked up once.
    const etag = known?.sha256 ?? (await hashFile(path));
    const row = known ?? rows.find((candidate) => candidate.sha256 === etag);
    if (known === undefined) index.add(rowOf(key, etag, seen, row?.metadata ?? {}), true);
    return { key, sizeBytes: Number(seen.size), etag, modifiedAt: seen.mtime, metadata: row?.metadata ?? {} };
  }

  type Pending = { readonly path: string; readonly sha256: string; readonly durable: boolean };

  /** A second name for an object's bytes, which are never written again: checked, and made to last. */
  async function takeOver(body: Extract<ObjectBody, { from: string }>, durable: boolean): Promise<Pending> {
    const path = join(pending, randomUUID());
    if ((await orAbsent(linkOrCopy(pathOf(body.from), path))) === undefined) {
      throw new StoreUnavailable(`${body.from} is gone from the store ${root}`);
    }
    try {
      refuseOtherBytes(body.from, body.sha256, await hashFile(path));
      if (durable) await sync(path);
      return { path, sha256: body.sha256, durable };
    } catch (error) {
      await remove(path);
      throw error;
    }
  }

  async function writePending(body: Exclude<ObjectBody, { from: string }>, durable: boolean): Promise<Pending> {
    const path = join(pending, randomUUID());
    try {
      const hash = createHash("sha256");
      const source = "text" in body ? Readable.from([Buffer.from(body.text)]) : createReadStream(body.path);
      await pipeline(source, hashingPassThrough(hash), createWriteStream(path, { flags: "wx", flush: durable }));
      const sha256 = hash.digest("hex");
      if (!("text" in body)) refuseOtherBytes(body.path, body.sha256, sha256);
      return { path, sha256, durable };
    } catch (error) {
      await remove(path);
      throw error;
    }
  }

  async function place(key: string, written: Pending, options: PutOptions): Promise<boolean> {
    const path = pathOf(key);
    for (let attempt = 1; ; attempt += 1) {
      try {
        // Mostly it is there, and to ask costs as much as to place.
        if (attempt > 1) await makeFolder(dirname(path));
        const placed = needsLock(options) ? await replace(key, path, written, options) : await create(path, written);
        if (placed && written.durable) await sync(dirname(path));
        return placed;
      } catch (error) {
        // There is no folder yet, or another writer's delete took the empty one away in between.
        if (errorCode(error) !== "ENOENT" || attempt === 10) throw error;
      }
    }
  }

  /** Only create, and nothing to remember: a hard link is atomic, and needs no lock. */
  async function create(path: string, written: Pending): Promise<boolean> {
    try {
      await link(written.path, path);
      return true;
    } catch (error) {
      if (errorCode(error) === "EEXIST") return false;
      throw error;
    }
  }

  async function replace(
    key: string,
    path: string,
    written: Pending,
    { condition, metadata = {} }: PutOptions,
  ): Promise<boolean> {
    // The row names the file's identity and is there before the file: a crash in between leaves a row without effect.
    const row = rowOf(key, written.sha256, await stat(written.path, { bigint: true }), metadata);
    index.add(row, written.durable || Object.keys(metadata).length > 0);
    const placed = await index.exclusively(async () => {
      const current = condition === undefined ? undefined : await head(key);
      if (condition !== undefined && "ifAbsent" in condition && current !== undefined) return false;
      if (condition !== undefined && "ifMatch" in condition && current?.etag !== condition.ifMatch) return false;
      await rename(written.path, path);
      index.keepOnly(row);
      return true;
    });
    if (!placed) index.remove(row);
    return placed;
  }

  async function removeEmptyFolders(from: string): Promise<void> {
    for (let folder = from; folder.startsWith(root + sep); folder = dirname(folder)) {
      try {
        await rmdir(folder);
      } catch {
        return; // not empty, or gone already
      }
    }
  }

  async function filesUnder(folder: string): Promise<string[]> {
    const entries = (await orAbsent(readdir(folder, { withFileTypes: true, recursive: true }))) ?? [];
    const inside = join(root, privateFolder) + sep;
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !path.startsWith(inside))
      .toSorted();
  }
}

/** Creating without metadata is a hard link, all else is decided under the lock. */
function needsLock({ condition, metadata }: PutOptions): boolean {
  return metadata !== undefined || condition === undefined || !("ifAbsent" in condition);
}

function rowOf(key: string, sha256: string, file: BigIntStats, metadata: Readonly<Record<string, string>>): IndexRow {
  return { key, sha256, inode: file.ino, size: file.size, mtimeNs: file.mtimeNs, metadata };
}

function isSameFile(row: IndexRow, file: BigIntStats): boolean {
  return row.inode === file.ino && row.size === file.size && row.mtimeNs === file.mtimeNs;
}

/**
 * Node's own `recursive` never returns where a file system answers ENOENT though the parent is there, as /proc does. A
 * parent that is there may have been made by another process since the answer, so one more try decides.
 */
async function makeFolder(folder: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(folder);
      return;
    } catch (error) {
      if (errorCode(error) === "EEXIST" && (await stat(folder)).isDirectory()) return;
      if (errorCode(error) !== "ENOENT" || attempt === 3) throw error;
      await makeFolder(dirname(folder));
    }
  }
}

/** Links where the kernel allows it: it protects files of other users from links. */
async function linkOrCopy(from: string, to: string): Promise<true> {
  try {
    await link(from, to);
  } catch (error) {
    if (errorCode(error) !== "EPERM") throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL);
  }
  return true;
}

function refuseOtherBytes(what: string, expected: string, sha256: string): void {
  if (sha256 === expected) return;
  throw new StoreUnavailable(`${what} was expected to have the sha256 ${expected}, but it has ${sha256}`);
}

/** A file or a folder. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** `rm` looks at the file first, on this thread. */
async function remove(path: string): Promise<void> {
  await orAbsent(unlink(path));
}

async function orAbsent<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

const sentences: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota is used up",
  ENOENT: "no folder can be made there",
  ENOTDIR: "it is, or lies under, a file",
  EEXIST: "it is, or lies under, a file",
};

/** Turns the system's errors into the failure of the port. */
async function guard<T>(root: string, operation: () => Promise<T> | T): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error;
    const reason =
      sentences[errorCode(error) ?? ""] ??
      indexFault(error) ??
      (error instanceof Error ? error.message : String(error));
    throw new StoreUnavailable(`the store ${root} must be a folder that can be written: ${reason}`, { cause: error });
  }
}
