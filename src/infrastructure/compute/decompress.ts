import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from "node:zlib";
import { InputInvalid } from "../../domain/model/failure.ts";
import { fileHead } from "./file-head.ts";

export type Compression = "gzip" | "zstd";

/** gzip and zstd are told by their first bytes: no CSV, NDJSON, Parquet or Arrow file begins with them. */
export async function compressionOf(path: string): Promise<Compression | undefined> {
  const head = await fileHead(path);
  if ((head & 0xffff) === 0x8b1f) return "gzip";
  const isSkippableFrame = head >>> 4 === 0x184d2a5;
  return head === 0xfd2fb528 || isSkippableFrame ? "zstd" : undefined;
}

/**
 * Writes the whole content, all members or frames of it.
 * @throws InputInvalid when the data is cut, damaged or followed by something else
 */
export async function decompress(uri: string, from: string, to: string, compression: Compression): Promise<void> {
  try {
    const chunks: AsyncIterator<Buffer> = createReadStream(from)[Symbol.asyncIterator]();
    for (let next = await chunkOf(chunks), flags = "w"; next !== undefined; flags = "a") {
      const decoder = decoders[compression]();
      const unread: Buffer[] = [];
      await pipeline(encoded(next, chunks, decoder, unread), decoder, createWriteStream(to, { flags }));
      next = await begin(unread[0], chunks, compression);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputInvalid(`${uri} is not a whole ${compression} file: ${reason}`, { cause });
  }
}

/** With a high-water mark of one byte a chunk is decoded before the next one is asked for. */
const decoders: Readonly<Record<Compression, () => Gunzip | ZstdDecompress>> = {
  gzip: () => createGunzip({ writableHighWaterMark: 1 } as object),
  zstd: () => createZstdDecompress({ writableHighWaterMark: 1 } as object),
};

/**
 * What one decoder reads. Node's decoders stop without an error (24.21) where a frame of zstd ends within a chunk, and
 * before zeros that follow a member of gzip: the rest of that chunk is put into `unread`, for another decoder.
 */
async function* encoded(
  first: Buffer,
  chunks: AsyncIterator<Buffer>,
  decoder: Gunzip | ZstdDecompress,
  unread: Buffer[],
): AsyncGenerator<Buffer> {
  let given = 0;
  for (let chunk: Buffer | undefined = first; chunk !== undefined; chunk = await chunkOf(chunks)) {
    given += chunk.length;
    yield chunk;
    const left = given - decoder.bytesWritten;
    if (left === 0) continue;
    unread.push(chunk.subarray(chunk.length - left));
    return;
  }
}

/** Where the next member or frame begins. Zeros between and behind members of gzip are padding. */
async function begin(
  unread: Buffer | undefined,
  chunks: AsyncIterator<Buffer>,
  compression: Compression,
): Promise<Buffer | undefined> {
  if (compression === "zstd") return unread;
  for (let chunk = unread; chunk !== undefined; chunk = await chunkOf(chunks)) {
    const start = chunk.findIndex((byte) => byte !== 0);
    if (start >= 0) return chunk.subarray(start);
  }
  return undefined;
}

async function chunkOf(chunks: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  const { done, value } = await chunks.next();
  return done === true ? undefined : value;
}
