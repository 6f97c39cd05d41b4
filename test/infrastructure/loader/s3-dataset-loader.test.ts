import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { inspect as show } from "node:util";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import type { Source } from "../../../src/domain/model/dataset-definition.ts";
import {
  BadRequest,
  InputChanged,
  InputInvalid,
  InputMissing,
  SourceUnavailable,
} from "../../../src/domain/model/failure.ts";
import { compareInputs } from "../../../src/domain/value-object/fingerprint.ts";
import { datasetLoaderContract, requestFor, sha256Of } from "../../contract/dataset-loader.contract.ts";
import { createHttpWorld, type Handler, type HttpWorld } from "./http-world.ts";
import { clientOf, createS3World, type S3World } from "./s3-world.ts";

datasetLoaderContract("the S3 loader", async () => {
  const world = await createS3World();
  return { ...world, loader: world.loader() };
});

let world: S3World;
beforeEach(async () => {
  world = await createS3World();
});
afterEach(async () => {
  expect(await world.scratchFiles()).toEqual([]);
  await world[Symbol.asyncDispose]();
});

const parquet = "PAR1 and what else is in it";
const request = (name: string, more: Partial<Source> = {}) => requestFor({ uri: world.uri(name), ...more });
const parquetRequest = (name: string, more: Partial<Source> = {}) =>
  requestFor({ uri: world.uri(name), ...more }, undefined, "parquet");
const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe("the S3 loader with Parquet", () => {
  it("pins a plain file by its ETag and leaves it where it is", async () => {
    await world.put("2024-02-29.parquet", parquet);
    const wanted = parquetRequest("{date}.parquet");
    const [pin, ...others] = await world.loader().load(wanted, []);
    expect(others).toEqual([]);
    expect(pin).toEqual({
      uri: world.uri("2024-02-29.parquet"),
      location: world.uri("2024-02-29.parquet"),
      sizeBytes: parquet.length,
      etag: `"${createHash("md5").update(parquet).digest("hex")}"`,
      modifiedAt: expect.stringMatching(/^20.*Z$/),
      fetchedAt: expect.stringMatching(/^20.*Z$/),
    });
    expect(await world.stagedNames()).toEqual([]);
  });

  it("is unchanged while the ETag at the address is, and not after another one came", async () => {
    await world.put("a.parquet", parquet);
    const before = await world.loader().load(parquetRequest("a.parquet"), []);
    const look = () => world.loader().inspect(parquetRequest("a.parquet"), before);
    expect(compareInputs(await look(), before)).toBe("same");
    await world.put("a.parquet", parquet.replace("else", "more"));
    expect(compareInputs(await look(), before)).not.toBe("same");
    expect(compareInputs(await world.loader().load(parquetRequest("a.parquet"), []), before)).not.toBe("same");
  });

  it.each<[string, () => Promise<void>]>([
    ["replaced", () => world.put("a.parquet", parquet.replace("else", "more"))],
    ["removed", () => world.remove("a.parquet")],
  ])("sees on verify that a file was %s", async (_, change) => {
    await world.put("a.parquet", parquet);
    const pins = await world.loader().load(parquetRequest("a.parquet"), []);
    await expect(world.loader().verify(pins)).resolves.toBeUndefined();
    await change();
    const failure = await failureOf(world.loader().verify(pins));
    expect(failure).toBeInstanceOf(InputChanged);
    expect(String(failure)).toContain(`${world.uri("a.parquet")} must stay as it is during a run`);
  });

  it("accepts on verify a file that was written again with the same bytes", async () => {
    await world.put("a.parquet", parquet);
    const pins = await world.loader().load(parquetRequest("a.parquet"), []);
    await world.put("a.parquet", parquet);
    await expect(world.loader().verify(pins)).resolves.toBeUndefined();
  });

  it.each<[string, string | Buffer]>([
    ["is compressed", gzipSync(parquet)],
    ["is none", "k,v\na,1\n"],
    ["is shorter than the mark of Parquet", "PAR"],
    ["is empty", ""],
  ])("stages a file that %s", async (_, content) => {
    await world.put("a.parquet", content);
    const [pin] = await world.loader().load(parquetRequest("a.parquet"), []);
    expect(pin).toMatchObject({ sizeBytes: content.length, sha256: sha256Of(content) });
    expect(await world.stagedNames()).toEqual([pin?.location]);
  });

  it("stages a file whose sha256 is declared, and holds it to that", async () => {
    await world.put("a.parquet", parquet);
    const declared = parquetRequest("a.parquet", { sha256: sha256Of(parquet) });
    const [pin] = await world.loader().load(declared, []);
    expect(await world.stagedNames()).toEqual([pin?.location]);
    const wrong = parquetRequest("a.parquet", { sha256: sha256Of("other") });
    await expect(world.loader().load(wrong, [])).rejects.toThrow(InputInvalid);
  });
});

describe("the S3 loader with other formats", () => {
  it.each(["csv", "ndjson", "arrow"] as const)(
    "streams %s into the store, even if it looks like Parquet",
    async (type) => {
      await world.put("a", parquet);
      const [pin] = await world.loader().load(requestFor({ uri: world.uri("a") }, undefined, type), []);
      expect(pin).toMatchObject({ uri: world.uri("a"), sha256: sha256Of(parquet), etag: expect.stringMatching(/^"/) });
      expect(pin === undefined ? "" : (await world.pinnedBytes(pin)).toString()).toBe(parquet);
    },
  );

  it("is unchanged by the ETag alone, without a download", async () => {
    await world.put("a.csv", "a");
    const before = await world.loader().load(request("a.csv"), []);
    const inspected = await world.loader().inspect(request("a.csv"), before);
    expect(inspected).toMatchObject([{ sizeBytes: 1, etag: before[0]?.etag }]);
    expect(compareInputs(inspected, before)).toBe("same");
  });

  it("keeps compressed bytes as they lie", async () => {
    const content = gzipSync("k,v\n");
    await world.put("a.csv.gz", content);
    expect(await world.loader().load(request("a.csv.gz"), [])).toMatchObject([{ sha256: sha256Of(content) }]);
  });
});

describe("the S3 loader and keys", () => {
  const keys = [
    "a b.csv",
    "a%20b.csv",
    "100%.csv",
    "a+b.csv",
    "ü/日本.csv",
    "u\u0308.csv",
    "st*r[1].csv",
    "q?x#y.csv",
  ].concat("back\\slash.csv", "'quote\".csv", "a&b=c;d,e@f$g!.csv", "<x>.csv", " blanks ", "...", "x=1/%2e%2e/%2F");

  it("takes them to the letter", async () => {
    for (const key of keys) await world.put(key, key);
    const uri = keys.map((key) => world.uri(key));
    const pins = await world.loader().load(requestFor({ uri }), []);
    expect(pins.map((pin) => pin.uri)).toEqual(uri);
    expect(pins.map((pin) => pin.sha256)).toEqual(keys.map(sha256Of));
  });

  it("tells which of them is missing", async () => {
    const failure = await failureOf(world.loader().load(request("a b%20+*.csv"), []));
    expect(failure).toBeInstanceOf(InputMissing);
    expect(failure).toMatchObject({ message: `rates 2024-02-29: ${world.uri("a b%20+*.csv")} does not exist` });
  });
});

describe("the S3 loader with patterns", () => {
  const names = async (...patterns: readonly string[]) => {
    const source = { uri: patterns.map((pattern) => world.uri(pattern)), glob: true };
    const pins = await world.loader().load(requestFor(source), []);
    return pins.map((pin) => pin.uri.slice(world.uri("").length));
  };

  it("takes the matching keys in their order, each once, by the rules for files", async () => {
    const all = ["a1/x(1).csv", "a1/deep/er/x(1).csv", "a1/.part.csv", "a1/.tmp/x(1).csv", "a2/x{2}.csv", "b1/y.csv"];
    for (const key of all) await world.put(key, key);
    await world.put("2024-02-29-a%b.csv", "");
    expect(await names("a?/x*.csv")).toEqual(["a1/x(1).csv", "a2/x{2}.csv"]);
    expect(await names("[!a]1/*", "*1/y*")).toEqual(["b1/y.csv"]);
    expect(await names("**/x(1)*")).toEqual(["a1/deep/er/x(1).csv", "a1/x(1).csv"]);
    expect(await names("a1/**")).toEqual(["a1/x(1).csv"]);
    expect(await names("a1/.p*")).toEqual(["a1/.part.csv"]);
    expect(await names("{date}-a%*")).toEqual(["2024-02-29-a%b.csv"]);
    expect(await names("b1/y.csv", "a2/x?2*")).toEqual(["b1/y.csv", "a2/x{2}.csv"]);
  });

  it("knows a literal star from a pattern, with glob and without", async () => {
    for (const key of ["a*.csv", "ab.csv"]) await world.put(key, key);
    expect(await names("a[*].csv")).toEqual(["a*.csv"]);
    expect(await world.loader().load(request("a*.csv"), [])).toMatchObject([{ sha256: sha256Of("a*.csv") }]);
  });

  it("says that nothing matches, or that a key without a pattern is not there", async () => {
    await world.put("a.csv", "a");
    for (const [pattern, words] of [
      ["*.json", /no file matches$/],
      ["a.csv/*", /no file matches$/],
      ["a", /does not exist$/],
    ] as const) {
      const failure = await failureOf(names(pattern));
      expect(failure).toBeInstanceOf(InputMissing);
      expect(failure).toMatchObject({ message: expect.stringMatching(words) });
      expect(String(failure)).toContain("rates 2024-02-29: s3://");
    }
  });

  it("refuses a matching key that no address can have", async () => {
    await world.put("odd/a\tb.csv", "");
    await expect(names("odd/*")).rejects.toThrow(BadRequest);
  });

  it("reads more than one page of a list", async () => {
    const keys = Array.from({ length: 1005 }, (_, index) => `many/${String(index).padStart(4, "0")}.csv`);
    const queue = keys.values();
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (const key of queue) await world.put(key, "");
      }),
    );
    const source = { uri: world.uri("many/*[05].csv"), glob: true };
    expect(await world.loader().inspect(requestFor(source), [])).toHaveLength(201);
  });

  it("holds a pattern with a sha256 to one file before it fetches any", async () => {
    await world.put("a.csv", "a");
    await expect(
      world.loader().load(request("*.csv", { glob: true, sha256: sha256Of("a") }), []),
    ).resolves.toHaveLength(1);
    await world.put("b.csv", "b");
    const failing = world.loader().load(request("*.csv", { glob: true, sha256: sha256Of("a") }), []);
    await expect(failing).rejects.toThrow(InputInvalid);
    expect(await world.stagedNames()).toHaveLength(1);
  });
});

describe("what a refusal means to the S3 loader", () => {
  const steps = (loader: ReturnType<S3World["loader"]>, source: Source) => [
    () => loader.inspect(requestFor(source), []),
    () => loader.load(requestFor(source), []),
    () => loader.load(requestFor(source, undefined, "parquet"), []),
  ];

  it("takes an unknown bucket for a missing input", async () => {
    for (const glob of [false, true]) {
      for (const step of steps(world.loader(), { uri: `s3://no-such-bucket-${Date.now()}/{date}*`, glob })) {
        const failure = await failureOf(step());
        expect(failure).toBeInstanceOf(InputMissing);
        expect(failure).toMatchObject({
          message: expect.stringMatching(/^rates 2024-02-29: s3:\/\/no-such.*does not exist/),
        });
      }
    }
  });

  it.each([
    ["secret", { secretAccessKey: "wr0ngs3cret" }, /403: the secret key does not belong to the access key/],
    ["access key", { accessKeyId: "WR0NGKEY" }, /403: the access key is not known there/],
  ])("tells of a wrong %s when it looks, lists, loads and verifies, and shows none", async (_, wrong, words) => {
    await world.put("a.csv", "a");
    const access = { ...inject("s3"), ...wrong };
    const loader = world.loader({ client: async () => clientOf(access) });
    const location = world.uri("a.csv");
    const pin = { uri: location, location, sizeBytes: 1, etag: '"x"', fetchedAt: "" };
    const works = [false, true].flatMap((glob) => steps(loader, { uri: world.uri("*.csv"), glob }));
    for (const work of [...works, () => loader.verify([pin])]) {
      const failure = await failureOf(work());
      expect(failure).toBeInstanceOf(SourceUnavailable);
      expect(failure).toMatchObject({ message: expect.stringMatching(words), details: { status: 403 } });
      const shown = show(failure, { depth: 9, showHidden: true });
      for (const secret of [access.secretAccessKey, access.accessKeyId]) expect(shown).not.toContain(secret);
    }
  });

  it("says that nobody answers", async () => {
    const loader = world.loader({ client: async () => clientOf({ ...inject("s3"), endpoint: "http://127.0.0.1:1" }) });
    for (const step of steps(loader, { uri: world.uri("a.csv") })) {
      const failure = await failureOf(step());
      expect(failure).toBeInstanceOf(SourceUnavailable);
      expect(String(failure)).toContain("ECONNREFUSED");
    }
  });
});

describe("the S3 loader at a server of its own mind", () => {
  let server: HttpWorld;
  beforeEach(async () => {
    server = await createHttpWorld();
  });
  afterEach(() => server[Symbol.asyncDispose]());

  const access = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "s3cr3tofthistest" };
  const source = { uri: "s3://bucket/a" };
  const load = (handler: Handler, type: "csv" | "parquet" = "csv") => {
    server.serve(handler);
    const client = clientOf({ endpoint: server.first, ...access });
    return world.loader({ client: async () => client }).load(requestFor(source, undefined, type), []);
  };
  const ok = { etag: '"e1"', "last-modified": "Thu, 29 Feb 2024 01:02:03 GMT" };

  it.each([
    ["a version", { "x-amz-version-id": "v.1" }, { versionId: "v.1" }],
    ['the version "null"', { "x-amz-version-id": "null" }, { versionId: undefined }],
  ])("pins what has %s", async (_, headers, pinned) => {
    const answer: Handler = ({ method }, response) => {
      response.writeHead(200, { ...ok, ...headers, "content-length": 4 }).end(method === "HEAD" ? undefined : "PAR1");
    };
    for (const type of ["csv", "parquet"] as const) {
      const [pin] = await load(answer, type);
      expect(pin).toMatchObject({ etag: '"e1"', modifiedAt: "2024-02-29T01:02:03.000Z" });
      expect(pin?.versionId).toBe(pinned.versionId);
    }
    expect(server.requests.map(({ headers: { range } }) => range)).toEqual([undefined, undefined, "bytes=0-3"]);
  });

  it.each([[undefined], ['W/"e1"'], ["e1"]])("stages Parquet whose ETag proves nothing: %s", async (etag) => {
    const [pin] = await load(({ method }, response) => {
      response
        .writeHead(200, { ...(etag && { etag }), "content-length": 4 })
        .end(method === "HEAD" ? undefined : "PAR1");
    }, "parquet");
    expect(pin).toMatchObject({ sha256: sha256Of("PAR1") });
    expect(pin).not.toHaveProperty("etag");
  });

  it("sees that Parquet is replaced between two questions", async () => {
    const failure = await failureOf(
      load(({ method, headers }, response) => {
        if (method === "HEAD") response.writeHead(200, { ...ok, "content-length": 4 }).end();
        else response.writeHead(headers["if-match"] === '"e1"' ? 412 : 200).end();
      }, "parquet"),
    );
    expect(failure).toBeInstanceOf(InputChanged);
  });

  it("streams a body of 192 MiB without holding it, and checks what S3 knows of it", async () => {
    const chunk = Buffer.alloc(1024 * 1024, "0123456789abcdef");
    const whole = createHash("sha256");
    for (let sent = 0; sent < 192; sent++) whole.update(chunk);
    const digest = whole.digest();
    const before = process.memoryUsage().rss;
    const [pin] = await load(async (_, response) => {
      const checksum = { "x-amz-checksum-sha256": digest.toString("base64"), "x-amz-checksum-type": "FULL_OBJECT" };
      response.writeHead(200, { ...ok, ...checksum, "content-length": 192 * chunk.length });
      for (let sent = 0; sent < 192; sent++)
        await new Promise<void>((written) => response.write(chunk, () => written()));
      response.end();
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(144 * 1024 * 1024);
    expect(pin).toMatchObject({ sizeBytes: 192 * 1024 * 1024, sha256: digest.toString("hex") });
    expect(server.requests[0]?.headers["x-amz-checksum-mode"]).toBe("ENABLED");
  });

  it.each<[string, Handler, RegExp]>([
    [
      "has another checksum than S3 says",
      (_, response) =>
        response.writeHead(200, { ...ok, "x-amz-checksum-crc32": "AAAAAA==", "content-length": 3 }).end("abc"),
      /another checksum/,
    ],
    [
      "ends early",
      (message, response) => {
        response.writeHead(200, { ...ok, "content-length": 100 }).write("abc");
        setTimeout(() => message.socket.destroy(), 20);
      },
      /could not be read to its end/,
    ],
    [
      "ends early under a checksum",
      (message, response) => {
        response.writeHead(200, { ...ok, "x-amz-checksum-crc32": "AAAAAA==", "content-length": 100 }).write("abc");
        setTimeout(() => message.socket.destroy(), 20);
      },
      /could not be read to its end/,
    ],
    [
      "is sent without its length",
      (_, response) => response.writeHead(200, ok).end("abc"),
      /must be sent with its length/,
    ],
  ])("does not take a body that %s", async (_, handler, words) => {
    const failure = await failureOf(load(handler));
    expect(failure).toBeInstanceOf(SourceUnavailable);
    expect(failure).toMatchObject({ message: expect.stringMatching(words) });
    expect(await world.stagedNames()).toEqual([]);
  });

  it.each([
    [500, "InternalError", /it answered 500 InternalError$/],
    [503, "SlowDown", /it answered 503 SlowDown$/],
    [403, "AccessDenied", /refused with 403: access is denied, which S3 also says of a missing key/],
    [400, "ExpiredToken", /the credentials have expired$/],
    [301, "PermanentRedirect", /another region: set AWS_REGION$/],
  ])("says what %i %s means, and nothing else of the answer", async (status, code, words) => {
    const words403 = `<Error><Code>${code}</Code><Message>s3cr3tofthistest</Message><AWSAccessKeyId>AKIAEXAMPLE</AWSAccessKeyId></Error>`;
    for (const type of ["csv", "parquet"] as const) {
      const failure = await failureOf(
        load(({ method }, response) => {
          response.writeHead(status, { "retry-after": "7" }).end(method === "HEAD" ? undefined : words403);
        }, type),
      );
      expect(failure).toBeInstanceOf(SourceUnavailable);
      expect(failure).toMatchObject({ message: expect.stringMatching(words), details: { status } });
      expect(show(failure, { depth: 9, showHidden: true })).not.toMatch(/s3cr3tofthistest|AKIAEXAMPLE/);
    }
  });

  it("hands on how long S3 asks to wait", async () => {
    const failure = await failureOf(load((_, response) => response.writeHead(503, { "retry-after": "7" }).end()));
    expect(failure).toMatchObject({ details: { retryAfterMs: 7_000 } });
  });

  it("gives an object its time and no more, and stops when the signal says so", async () => {
    server.serve((_, response) => {
      response.writeHead(200, { ...ok, "content-length": 1e9 });
      const drip = setInterval(() => response.write("x"), 20);
      response.once("close", () => clearInterval(drip));
    });
    const client = clientOf({ endpoint: server.first, ...access });
    const loader = world.loader({ client: async () => client, transferTimeoutMs: 300 });
    await expect(loader.load(requestFor(source), [])).rejects.toThrow(/must be read within 0\.3 s/);
    const stop = new AbortController();
    const reason = new Error("cancelled");
    const work = failureOf(world.loader({ client: async () => client }).load(requestFor(source), [], stop.signal));
    await pause(200);
    stop.abort(reason);
    expect(await work).toBe(reason);
  });
});
