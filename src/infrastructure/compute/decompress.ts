import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { InputInvalid } from "../../domain/model/failure.ts";

export type Compression = "gzip" | "zstd";

/** gzip and zstd are told by their first bytes: no CSV, NDJSON, Parquet or Arrow file begins with them. */
export async function compressionOf(path: string): Promise<Compression | undefined> {
  const head = Buffer.alloc(4);
  const file = await open(path);
  try {
    await file.read(head, 0, head.length, 0);
  } finally {
    await file.close();
  }
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  return head.readUInt32LE() === 0xfd2fb528 ? "zstd" : undefined;
}

/**
 * Writes the whole content, all members or frames of it.
 * @throws InputInvalid when the data is cut, damaged or followed by something else
 */
export async function decompress(uri: string, from: string, to: string, compression: Compression): Promise<void> {
  try {
    if (compression === "gzip") {
      await pipeline(createReadStream(from), createGunzip(), createWriteStream(to));
      return;
    }
    await decompressFrames(from, to);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputInvalid(`${uri} is not a whole ${compression} file: ${reason}`, { cause });
  }
}

/** Node's decoder stops after the first frame without an error (24.21): each frame gets a decoder of its own. */
async function decompressFrames(from: string, to: string): Promise<void> {
  const file = await open(from);
  try {
    const { size } = await file.stat();
    for (let offset = 0; offset < size; ) {
      const decoder = createZstdDecompress();
      const source = createReadStream(from, { start: offset });
      await pipeline(source, decoder, createWriteStream(to, { flags: offset === 0 ? "w" : "a" }));
      if (decoder.bytesWritten === 0) throw new Error("no frame begins here");
      offset += decoder.bytesWritten;
    }
  } finally {
    await file.close();
  }
}
