import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

const chunkBytes = 1024 * 1024;

/** sha256 of a file, in hex, streamed. */
export async function hashFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: chunkBytes }), hash, signal === undefined ? {} : { signal });
  return hash.digest("hex");
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
