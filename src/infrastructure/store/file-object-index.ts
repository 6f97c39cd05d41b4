import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { StoreUnavailable } from "../../domain/model/failure.ts";

/** What a file at a key is, told by its identity on disk or by its content. */
export type IndexRow = {
  readonly key: string;
  readonly sha256: string;
  readonly inode: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly metadata: Readonly<Record<string, string>>;
};

/** Remembers hashes and metadata of files, and lends the store's one lock. */
export interface ObjectIndex {
  find(key: string): readonly IndexRow[];
  /** @param durable whether the row survives a loss of power; of a file without metadata it is only a known hash */
  add(row: IndexRow, durable: boolean): void;
  remove(row: IndexRow): void;
  /** Forgets all rows of the key but this one. */
  keepOnly(row: IndexRow): void;
  forget(key: string): void;
  /** Runs alone among all processes. The kernel releases the lock when the process dies. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

const longestWaitMs = 30_000;

const schema = `
  CREATE TABLE IF NOT EXISTS objects (
    key TEXT NOT NULL, sha256 TEXT NOT NULL, inode TEXT NOT NULL, size TEXT NOT NULL, mtime_ns TEXT NOT NULL,
    metadata TEXT NOT NULL,
    PRIMARY KEY (key, sha256, inode, mtime_ns)
  ) STRICT, WITHOUT ROWID`;

/** @param path of the index's database; its lock is a second database beside it, so that rows are written without waiting */
export function openObjectIndex(path: string): ObjectIndex {
  const rows = new DatabaseSync(path, { timeout: 10_000 });
  rows.exec("PRAGMA journal_mode = WAL");
  rows.exec("PRAGMA synchronous = FULL");
  rows.exec(schema);
  // Its commits do not wait for the disk: a row that need not survive a loss of power, and rows that are taken away.
  const relaxed = new DatabaseSync(path, { timeout: 10_000 });
  relaxed.exec("PRAGMA synchronous = NORMAL");
  const lock = new DatabaseSync(`${path}-lock`, { timeout: 0 });
  const select = rows.prepare("SELECT * FROM objects WHERE key = ?");
  const insertion = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)";
  const inserts = { durable: rows.prepare(insertion), relaxed: relaxed.prepare(insertion) };
  const remove = relaxed.prepare("DELETE FROM objects WHERE key = ? AND sha256 = ? AND inode = ? AND mtime_ns = ?");
  const keep = relaxed.prepare("DELETE FROM objects WHERE key = ? AND NOT (sha256 = ? AND inode = ? AND mtime_ns = ?)");
  const forget = relaxed.prepare("DELETE FROM objects WHERE key = ?");
  let turn: Promise<unknown> = Promise.resolve();

  return {
    find: (key) =>
      select.all(key).map((row) => ({
        key,
        sha256: String(row["sha256"]),
        inode: BigInt(String(row["inode"])),
        size: BigInt(String(row["size"])),
        mtimeNs: BigInt(String(row["mtime_ns"])),
        metadata: JSON.parse(String(row["metadata"])) as Readonly<Record<string, string>>,
      })),
    add: (row, durable) => {
      const insert = inserts[durable ? "durable" : "relaxed"];
      insert.run(row.key, row.sha256, `${row.inode}`, `${row.size}`, `${row.mtimeNs}`, JSON.stringify(row.metadata));
    },
    remove: (row) => {
      remove.run(row.key, row.sha256, `${row.inode}`, `${row.mtimeNs}`);
    },
    keepOnly: (row) => {
      if (select.all(row.key).length > 1) keep.run(row.key, row.sha256, `${row.inode}`, `${row.mtimeNs}`);
    },
    forget: (key) => {
      forget.run(key);
    },
    exclusively(work) {
      const mine = turn.then(() => holding(lock, work));
      turn = mine.catch(() => undefined);
      return mine;
    },
    close() {
      rows.close();
      relaxed.close();
      lock.close();
    },
  };
}

async function holding<T>(lock: DatabaseSync, work: () => Promise<T>): Promise<T> {
  await acquire(lock);
  try {
    return await work();
  } finally {
    lock.exec("ROLLBACK");
  }
}

/** Waits without blocking the thread, which SQLite's own time-out would. */
async function acquire(lock: DatabaseSync): Promise<void> {
  const deadline = Date.now() + longestWaitMs;
  for (;;) {
    try {
      lock.exec("BEGIN IMMEDIATE");
      return;
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (Date.now() > deadline) {
        throw new StoreUnavailable(`the lock of the store was held by another process for ${longestWaitMs / 1000} s`);
      }
      await sleep(1 + Math.random() * 10);
    }
  }
}

/** What an error of the index means for the folder, where it is one that a person can do something about. */
export function indexFault(error: unknown): string | undefined {
  const code = sqliteCode(error);
  if (code === undefined) return undefined;
  // SQLITE_FULL; and the writes and growths of files that fail where a disk is full, and hardly anywhere else.
  if ((code & 0xff) === 13 || code === ioErrorWrite || code === ioErrorGrow) return "the disk is full";
  return (code & 0xff) === 8 ? "the file system is read-only" : undefined;
}

const ioErrorWrite = 10 | (3 << 8);
const ioErrorGrow = 10 | (19 << 8);

function isBusy(error: unknown): boolean {
  return ((sqliteCode(error) ?? 0) & 0xff) === 5;
}

/** The extended result code. */
function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) : undefined;
}
