import { createHash } from "node:crypto";
import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { StoreUnavailable } from "../../domain/model/failure.ts";
import type { RunId } from "../../domain/value-object/run-id.ts";
import { scratchName } from "../scratch-name.ts";

/** A whole body on the disk. */
export type BodyFile = { readonly path: string; readonly sizeBytes: number; readonly sha256: string };

/** Keeps a whole local file for the run and returns its key. The same name may come again in another attempt. */
export type Stage = (runId: RunId, name: string, file: BodyFile) => Promise<string>;

/** The same address has the same name in every attempt, and no character of it comes from outside. */
export function stagedName(uri: string): string {
  return `input-${createHash("sha256").update(uri).digest("hex").slice(0, 16)}`;
}

/** Counts and hashes what passes. */
export class Meter {
  sizeBytes = 0;
  head = Buffer.alloc(0);
  readonly #hash = createHash("sha256");

  async *pass(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#hash.update(chunk);
      this.sizeBytes += chunk.length;
      if (this.head.length < 6) this.head = Buffer.concat([this.head, chunk.subarray(0, 6)]);
      yield chunk;
    }
  }

  sha256(): string {
    return this.#hash.digest("hex");
  }
}

/** @throws StoreUnavailable when the disk refuses */
export async function writeBody(path: string, chunks: AsyncIterable<Buffer>): Promise<void> {
  await using file = await onScratch(open(path, "wx"));
  for await (const chunk of chunks) await onScratch(file.writeFile(chunk));
}

/** Gives the work a folder of its own, which is gone when the work ends, however it ends. */
export async function inScratchFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await onScratch(
    mkdir(parent, { recursive: true }).then(() => mkdtemp(join(parent, scratchName("fetch")))),
  );
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function onScratch<T>(work: Promise<T>): Promise<T> {
  return work.catch((cause: unknown) => {
    throw new StoreUnavailable(`the scratch folder must hold what is downloaded: ${String(cause)}`, { cause });
  });
}
