import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Source } from "../../../src/domain/model/dataset-definition.ts";
import { InputInvalid, SourceUnavailable } from "../../../src/domain/model/failure.ts";
import { compareInputs, type PinnedInput } from "../../../src/domain/value-object/fingerprint.ts";
import { datasetLoaderContract, requestFor, sha256Of } from "../../contract/dataset-loader.contract.ts";
import { answerRaw, createHttpWorld, type HttpWorld } from "./http-world.ts";

datasetLoaderContract("the http loader", async () => {
  const world = await createHttpWorld();
  const files = new Map<string, string>();
  world.serve((request, response) => {
    const content = files.get(request.url ?? "");
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  return {
    loader: world.loader(),
    uri: (name) => `${world.first}/${name}`,
    put: async (name, content) => {
      files.set(`/${name}`, content);
    },
    remove: async (name) => {
      files.delete(`/${name}`);
    },
    pinnedBytes: (pin) => readFile(world.stagedPath(pin.location)),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
});

let world: HttpWorld;
beforeEach(async () => {
  world = await createHttpWorld();
});
afterEach(async () => {
  expect(await world.scratchFiles()).toEqual([]);
  await world[Symbol.asyncDispose]();
});

const csv = "ccy,rate\nAAA,1.25\n";
const load = (more: Partial<Source> = {}) =>
  world.loader().load(requestFor({ uri: `${world.first}/{date}.csv`, ...more }), []);
const inspect = (previous: readonly PinnedInput[] = []) =>
  world.loader().inspect(requestFor({ uri: `${world.first}/{date}.csv` }), previous);
const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe("the http loader", () => {
  it("asks with GET for the bytes as they are", async () => {
    world.serve((_, response) => response.end(csv));
    await load();
    expect(world.requests.map(({ method, url, headers }) => [method, url, headers["accept-encoding"]])).toEqual([
      ["GET", "/2024-02-29.csv", "identity"],
    ]);
  });

  it("keeps the query of the definition, a strong validator and the time of the source in the pin", async () => {
    world.serve((_, response) =>
      response.writeHead(200, { etag: '"v1"', "last-modified": "Thu, 29 Feb 2024 01:02:03 GMT" }).end(csv),
    );
    expect(await load({ uri: `${world.first}/rates?day={dd}#top` })).toMatchObject([
      { uri: `${world.first}/rates?day=29`, etag: '"v1"', modifiedAt: "2024-02-29T01:02:03.000Z" },
    ]);
  });

  it.each(['W/"v1"', "v1", "", '"a"b"'])("keeps no validator that is not strong: %s", async (etag) => {
    world.serve((_, response) => response.writeHead(200, { etag, "last-modified": "yesterday" }).end(csv));
    const [pin] = await load();
    expect(pin).not.toHaveProperty("etag");
    expect(pin).not.toHaveProperty("modifiedAt");
  });

  it("stages a body of 192 MiB in order without holding it", async () => {
    const chunk = Buffer.alloc(1024 * 1024, "0123456789abcdef");
    const expected = createHash("sha256");
    world.serve(async (_, response) => {
      for (let sent = 0; sent < 192; sent++) {
        expected.update(chunk.fill(sent, 0, 8));
        await new Promise<void>((written) => response.write(Buffer.from(chunk), () => written()));
      }
      response.end();
    });
    const before = process.memoryUsage().rss;
    const [pin] = await load();
    expect(process.memoryUsage().rss - before).toBeLessThan(144 * 1024 * 1024);
    expect(pin).toMatchObject({ sizeBytes: 192 * 1024 * 1024, sha256: expected.digest("hex") });
    expect((await stat(world.stagedPath(pin?.location ?? ""))).size).toBe(192 * 1024 * 1024);
  });

  it("fetches a few files at a time and keeps their order", async () => {
    let open = 0;
    let most = 0;
    world.serve((request, response) => {
      most = Math.max(most, ++open);
      setTimeout(() => {
        open--;
        response.end(request.url);
      }, 20);
    });
    const names = Array.from({ length: 10 }, (_, index) => `/${index}`);
    const pins = await load({ uri: names.map((name) => world.first + name) });
    expect(pins.map((pin) => pin.sha256)).toEqual(names.map(sha256Of));
    expect(most).toBe(4);
  });

  it("undoes a gzip that was not asked for, pins what was in it, and knows the sha256 of either form", async () => {
    const sent = gzipSync(csv);
    world.serve((_, response) =>
      response.writeHead(200, { "content-encoding": "x-gzip", "content-length": sent.length }).end(sent),
    );
    const [pin] = await load();
    expect(pin).toMatchObject({ sizeBytes: csv.length, sha256: sha256Of(csv) });
    expect(await readFile(world.stagedPath(pin?.location ?? ""), "utf8")).toBe(csv);
    expect(await inspect()).toEqual([{ uri: `${world.first}/2024-02-29.csv` }]);
    await expect(load({ sha256: sha256Of(csv) })).resolves.toHaveLength(1);
    await expect(load({ sha256: sha256Of(sent) })).resolves.toHaveLength(1);
    await expect(load({ sha256: sha256Of("") })).rejects.toThrow(InputInvalid);
  });

  it.each([
    ["cut", (whole: Buffer) => whole.subarray(0, whole.length - 9)],
    ["damaged", (whole: Buffer) => Buffer.concat([whole.subarray(0, -8), Buffer.alloc(8, 1)])],
    ["followed by something else", (whole: Buffer) => Buffer.concat([whole, Buffer.from("garbage")])],
  ])("refuses a gzip that is %s, however it is sent", async (_, spoil) => {
    const sent = spoil(gzipSync(csv.repeat(100)));
    const headers = { "content-encoding": "gzip", "content-length": sent.length };
    world.serve((_request, response) => response.writeHead(200, headers).end(sent));
    await expect(load()).rejects.toThrow(SourceUnavailable);
    world.serve((request) => answerRaw(request, "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", sent));
    await expect(load()).rejects.toThrow(SourceUnavailable);
  });

  it.each(["br", "deflate", "gzip, gzip"])("refuses the Content-Encoding %s", async (coding) => {
    world.serve((_, response) => response.writeHead(200, { "content-encoding": coding }).end(csv));
    await expect(load()).rejects.toThrow(InputInvalid);
  });

  it("refuses a text whose end nothing marks, but for a declared sha256", async () => {
    world.serve((request) => answerRaw(request, "HTTP/1.1 200 OK\r\n\r\n", csv));
    const failure = await failureOf(load());
    expect(failure).toBeInstanceOf(InputInvalid);
    expect(String(failure)).toContain("with a length or in chunks");
    await expect(load({ sha256: sha256Of(csv) })).resolves.toMatchObject([{ sizeBytes: csv.length }]);
    await expect(load({ sha256: sha256Of(`${csv}BBB,2\n`) })).rejects.toThrow(InputInvalid);
  });

  it.each([
    ["gzip", gzipSync(csv)],
    ["zstd", Buffer.from("28b52ffd2000", "hex")],
    ["Parquet", Buffer.from("PAR1...")],
    ["Arrow", Buffer.from("ARROW1..")],
  ])("takes a body of %s without a length, since its reader finds the end", async (_, body) => {
    world.serve((request) => answerRaw(request, "HTTP/1.1 200 OK\r\n\r\n", body.subarray(0, 1), body.subarray(1)));
    await expect(load()).resolves.toMatchObject([{ sha256: sha256Of(body) }]);
  });
});

describe("the http loader, looking again", () => {
  const etag = '"v1"';
  const uri = () => `${world.first}/2024-02-29.csv`;

  async function pinned(): Promise<readonly PinnedInput[]> {
    world.serve((_, response) => response.writeHead(200, { etag }).end(csv));
    return load();
  }

  it("learns the size without reading the body", async () => {
    let written = 0;
    world.serve((_, response) => {
      response.writeHead(200, { "content-length": 1_000_000_000, etag });
      const more = () => {
        while (!response.destroyed && written < 500_000_000) {
          written += 65536;
          if (!response.write(Buffer.alloc(65536))) return void response.once("drain", more);
        }
      };
      more();
    });
    expect(await inspect()).toEqual([{ uri: uri(), sizeBytes: 1_000_000_000, etag }]);
    expect(written).toBeLessThan(100_000_000);
  });

  it("asks about a strong validator, and a 304 proves the content", async () => {
    const previous = await pinned();
    world.serve((request, response) =>
      response.writeHead(request.headers["if-none-match"] === etag ? 304 : 200, { etag }).end(),
    );
    const inspected = await inspect(previous);
    expect(inspected).toEqual([{ uri: uri(), sizeBytes: csv.length, sha256: sha256Of(csv), etag }]);
    expect(compareInputs(inspected, previous)).toBe("same");
  });

  it("takes a 304 without a validator at its word, and one with another validator for no proof", async () => {
    const previous = await pinned();
    world.serve((_, response) => response.writeHead(304).end());
    expect(compareInputs(await inspect(previous), previous)).toBe("same");
    world.serve((_, response) => response.writeHead(304, { etag: 'W/"v1"' }).end());
    expect(compareInputs(await inspect(previous), previous)).toBe("unknown");
  });

  it("does not ask about the validator of another address, and refuses a 304 that it did not ask for", async () => {
    const previous = (await pinned()).map((pin) => ({ ...pin, uri: `${world.first}/other.csv` }));
    world.serve((request, response) => response.writeHead(request.headers["if-none-match"] ? 200 : 304).end());
    await expect(inspect(previous)).rejects.toThrow(SourceUnavailable);
  });

  it("proves nothing by a weak validator, whether bytes changed or not", async () => {
    world.serve((_, response) => response.writeHead(200, { etag: 'W/"a1"' }).end(csv));
    const previous = await load();
    world.serve((request, response) =>
      response.writeHead(request.headers["if-none-match"] ? 304 : 200, { etag: 'W/"b2"' }).end(csv),
    );
    expect(compareInputs(await inspect(previous), previous)).toBe("unknown");
    expect(compareInputs(await load(), previous)).toBe("same");
    world.serve((_, response) => response.writeHead(200, { etag: 'W/"a1"' }).end(csv.replace("1.25", "1.26")));
    expect(compareInputs(await inspect(previous), previous)).toBe("unknown");
    expect(compareInputs(await load(), previous)).toBe("different");
  });
});
