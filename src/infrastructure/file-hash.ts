import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { Transform } from "node:stream";

const chunkBytes = 1024 * 1024;

/** sha256 of a file, in hex, streamed. */
export async function hashFile(path: string): Promise<string> {
  await using handle = await open(path);
  return (await hashContent(handle, (await handle.stat()).size)).sha256;
}

/**
 * sha256, in hex, and size of what is left to read.
 * @param expectedBytes for the buffer: many small files would each take a large one, whose return costs the collector
 */
export async function hashContent(
  handle: FileHandle,
  expectedBytes: number,
  signal?: AbortSignal,
): Promise<{ readonly sha256: string; readonly sizeBytes: number }> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, expectedBytes + 1));
  let sizeBytes = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
    hash.update(buffer.subarray(0, bytesRead));
    sizeBytes += bytesRead;
    if (bytesRead === 0) return { sha256: hash.digest("hex"), sizeBytes };
  }
}

/** Hands on what it is given and hashes it on the way. */
export function hashingPassThrough(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}
