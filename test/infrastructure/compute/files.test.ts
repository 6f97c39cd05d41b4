import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import pl from "nodejs-polars";
import { describe, expect, it } from "vitest";
import { InputInvalid, OutOfMemory } from "../../../src/domain/model/failure.ts";
import { refuseArrowStream } from "../../../src/infrastructure/compute/arrow-stream.ts";
import { compressionOf, decompress } from "../../../src/infrastructure/compute/decompress.ts";
import { createMemoryBudget } from "../../../src/infrastructure/compute/memory-budget.ts";
import { stampParquet } from "../../../src/infrastructure/compute/stamp-parquet.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const text = Array.from({ length: 50_000 }, (_, index) => `k${index % 7},${index}`).join("\n");
const zstd = (part: string) => zstdCompressSync(part, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
const parts = [text.slice(0, 100_000), text.slice(100_000, 100_001), text.slice(100_001)];
/** Bytes that do not get smaller, so that members and frames end where they will in a chunk of 64 KiB. */
const noise = Array.from({ length: 12 }, (_, index) => randomBytes(30_000 + index * 1_000).toString("base64"));
/** A frame that decoders pass over: magic, length, content. */
const skippable = Buffer.concat([Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 4, 0, 0, 0]), Buffer.from("seek")]);
/** A member of gzip with exactly this many bytes. */
function memberOf(size: number): { readonly content: string; readonly bytes: Buffer } {
  for (let length = size - 50; ; length += 1) {
    const content = "x".repeat(length);
    const bytes = gzipSync(content, { level: 0 });
    if (bytes.length === size) return { content, bytes };
  }
}
const chunk = memberOf(65_536);

async function unpack(bytes: Buffer): Promise<string> {
  const folder = await tempFolder();
  const [from, to] = [join(folder, "from"), join(folder, "to")];
  await writeFile(from, bytes);
  const compression = await compressionOf(from);
  if (compression === undefined) return "not compressed";
  await decompress("file:///in", from, to, compression);
  return readFile(to, "utf8");
}

describe("a compressed input", () => {
  it.each([
    ["gzip", gzipSync(text), text],
    ["gzip of nothing", gzipSync(""), ""],
    ["gzip of several members", Buffer.concat(parts.map((part) => gzipSync(part))), text],
    ["gzip of members that end anywhere", Buffer.concat(noise.map((part) => gzipSync(part))), noise.join("")],
    ["gzip of a member that ends with a chunk", Buffer.concat([chunk.bytes, gzipSync("b")]), `${chunk.content}b`],
    ["gzip with zeros behind it", Buffer.concat([gzipSync(text), Buffer.alloc(100_000)]), text],
    ["gzip with zeros between members", Buffer.concat([gzipSync("a"), Buffer.alloc(512), gzipSync("b")]), "ab"],
    ["gzip with a chunk of zeros", Buffer.concat([chunk.bytes, Buffer.alloc(9), gzipSync("b")]), `${chunk.content}b`],
    ["zstd", zstd(text), text],
    ["zstd of nothing", zstd(""), ""],
    ["zstd of several frames", Buffer.concat(parts.map(zstd)), text],
    ["zstd of frames that end anywhere", Buffer.concat(noise.map(zstd)), noise.join("")],
    ["zstd of many small frames", Buffer.concat([..."abcdefgh"].map(zstd)), "abcdefgh"],
    ["zstd with skippable frames", Buffer.concat([skippable, zstd("a"), skippable, zstd("b"), skippable]), "ab"],
  ])("is read whole: %s", async (_, bytes, content) => {
    expect(await unpack(bytes)).toBe(content);
  });

  const flipped = (bytes: Buffer, at: number) => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 0xff;
    return copy;
  };
  it.each([
    ["gzip that is cut", gzipSync(text).subarray(0, -9)],
    ["gzip that is cut in its second member", Buffer.concat([gzipSync("a"), gzipSync(text).subarray(0, 1000)])],
    ["gzip with a wrong checksum", flipped(gzipSync(text), gzipSync(text).length - 6)],
    ["gzip with something behind it", Buffer.concat([gzipSync(text), Buffer.from("garbage")])],
    ["gzip with zeros and something behind it", Buffer.concat([gzipSync("a"), Buffer.alloc(9), Buffer.from("b")])],
    ["gzip with the first byte of a member behind it", Buffer.concat([chunk.bytes, Buffer.from([0x1f])])],
    ["zstd with zeros behind it", Buffer.concat([zstd(text), Buffer.alloc(9)])],
    ["zstd that is cut", zstd(text).subarray(0, -9)],
    ["zstd that is cut in its second frame", Buffer.concat([zstd("a"), zstd(text).subarray(0, 1000)])],
    ["zstd with a wrong checksum", flipped(zstd(text), zstd(text).length - 2)],
    ["zstd with something behind it", Buffer.concat([zstd(text), Buffer.from("garbage")])],
  ])("is refused: %s", async (_, bytes) => {
    await expect(unpack(bytes)).rejects.toThrow(InputInvalid);
    await expect(unpack(bytes)).rejects.toThrow(/file:\/\/\/in is not a whole (?:gzip|zstd) file/);
  });

  it("is told from a plain one by its first bytes", async () => {
    for (const bytes of [Buffer.from("k,v\n"), Buffer.alloc(0), Buffer.from("P"), Buffer.from("PAR1")]) {
      expect(await unpack(bytes)).toBe("not compressed");
    }
  });
});

describe("an Arrow file", () => {
  it("is told from a stream, which is refused in words that help", async () => {
    const folder = await tempFolder();
    const [file, stream, empty] = [join(folder, "file"), join(folder, "stream"), join(folder, "empty")];
    await writeFile(file, pl.DataFrame({ a: [1] }).writeIPC());
    await writeFile(stream, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xa8, 0, 0, 0, 0x10]));
    await writeFile(empty, "");
    for (const path of [file, empty]) await expect(refuseArrowStream("file:///in", path)).resolves.toBeUndefined();
    await expect(refuseArrowStream("file:///in", stream)).rejects.toThrow(
      new InputInvalid("file:///in is an Arrow IPC stream, and a file was expected: write it in the file format"),
    );
  });
});

describe("a stamp", () => {
  it("gives equal rows different bytes that any reader reads as before", async () => {
    const folder = await tempFolder();
    const frame = pl.DataFrame({ k: ["a", "b"], v: [1, 2] });
    const paths = ["one", "two", "plain"].map((name) => join(folder, `${name}.parquet`));
    for (const path of paths) frame.writeParquet(path, { compression: "zstd" });
    const [one = "", two = "", plain = ""] = paths;
    expect(await readFile(one)).toEqual(await readFile(plain));
    await stampParquet(one, "run=1");
    await stampParquet(two, "run=2");
    expect(await readFile(one)).not.toEqual(await readFile(two));
    for (const path of paths) {
      expect(pl.readParquet(path).toRecords()).toEqual(frame.toRecords());
      expect((await pl.scanParquet(path).select(pl.col("v").sum()).collect()).toRecords()).toEqual([{ v: 3 }]);
    }
  });

  it("is not put into what is no Parquet", async () => {
    const path = join(await tempFolder(), "x");
    await writeFile(path, "no Parquet at all, by any means");
    await expect(stampParquet(path, "run=1")).rejects.toThrow(/no Parquet file/);
    expect(await readFile(path, "utf8")).toBe("no Parquet at all, by any means");
  });
});

describe("the memory of a worker", () => {
  it("is lent in the order of asking, and given back", async () => {
    const budget = createMemoryBudget(10);
    const first = await budget.reserve(6);
    const order: string[] = [];
    const big = budget.reserve(8).then((lent) => {
      order.push("big");
      return lent;
    });
    const small = budget.reserve(2).then((lent) => {
      order.push("small");
      return lent;
    });
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(order).toEqual([]);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await Promise.all([big, small]);
    expect(order).toEqual(["big", "small"]);
  });

  it("is refused where it can never be, and no longer waited for after an abort", async () => {
    const budget = createMemoryBudget(10);
    await expect(budget.reserve(11)).rejects.toThrow(OutOfMemory);
    const held = await budget.reserve(10);
    const stopping = new AbortController();
    const waiting = budget.reserve(5, stopping.signal);
    stopping.abort(new Error("stopped"));
    await expect(waiting).rejects.toThrow("stopped");
    held[Symbol.dispose]();
    await expect(budget.reserve(10)).resolves.toBeDefined();
  });
});
