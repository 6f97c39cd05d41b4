import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InputMissing, SourceUnavailable, StoreUnavailable } from "../../../src/domain/model/failure.ts";
import type { HttpDatasetLoaderOptions } from "../../../src/infrastructure/loader/http-dataset-loader.ts";
import { requestFor } from "../../contract/dataset-loader.contract.ts";
import { answerRaw, createHttpWorld, type Handler, type HttpWorld } from "./http-world.ts";

let world: HttpWorld;
beforeEach(async () => {
  world = await createHttpWorld();
});
afterEach(async () => {
  expect(await world.scratchFiles()).toEqual([]);
  await world[Symbol.asyncDispose]();
});

const request = (...names: string[]) =>
  requestFor({ uri: (names.length === 0 ? ["a.csv"] : names).map((name) => `${world.first}/${name}`) });
const loadFailure = (options: Partial<HttpDatasetLoaderOptions> = {}): Promise<unknown> =>
  world
    .loader(options)
    .load(request(), [])
    .catch((error: unknown) => error);
const lookFailure = (): Promise<unknown> =>
  world
    .loader()
    .inspect(request(), [])
    .catch((error: unknown) => error);

describe("what an answer means to the http loader", () => {
  it.each([204, 404, 410])("%i: the input is missing", async (status) => {
    world.serve((_, response) => response.writeHead(status).end());
    for (const failure of [await loadFailure(), await lookFailure()]) {
      expect(failure).toBeInstanceOf(InputMissing);
      expect(failure).toMatchObject({ details: { status } });
    }
  });

  it.each([201, 206, 300, 400, 401, 403, 405, 408, 416, 418, 425, 429, 451, 500, 502, 503, 504, 599])(
    "%i: the source is unavailable",
    async (status) => {
      world.serve((_, response) => response.writeHead(status).end());
      for (const failure of [await loadFailure(), await lookFailure()]) {
        expect(failure).toBeInstanceOf(SourceUnavailable);
        expect(failure).toMatchObject({
          message: expect.stringContaining(String(status)),
          details: expect.not.objectContaining({ retryAfterMs: expect.anything() }),
        });
      }
    },
  );

  const now = "Thu, 29 Feb 2024 12:00:00 GMT";
  it.each<[number, string, number | undefined]>([
    [503, "7", 7000],
    [429, " 120 ", 120_000],
    [503, "Thu, 29 Feb 2024 12:00:30 GMT", 30_000],
    [503, "Thu, 29 Feb 2024 11:00:00 GMT", 0],
    [503, "soon", undefined],
    [503, "-1", undefined],
  ])(
    "%i with Retry-After %s asks for a pause of %s ms, by the clock of the server",
    async (status, text, retryAfterMs) => {
      world.serve((_, response) => response.writeHead(status, { "retry-after": text, date: now }).end());
      const expected = retryAfterMs === undefined ? { status } : { status, retryAfterMs };
      expect(await loadFailure()).toMatchObject({ code: "source-unavailable", details: expected });
      expect(await lookFailure()).toMatchObject({ code: "source-unavailable", details: expected });
    },
  );
});

describe("a body that ends early", () => {
  const part = "k,v\na,1\nb,";
  it.each<[string, Handler]>([
    [
      "with a length and a closed connection",
      (message) => answerRaw(message, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", part),
    ],
    [
      "with a length and a reset",
      ({ socket }) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n${part}`);
        setTimeout(() => socket.resetAndDestroy(), 20);
      },
    ],
    [
      "within a chunk",
      (message) => answerRaw(message, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n", part),
    ],
    [
      "between chunks",
      (message) => answerRaw(message, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n", part, "\r\n"),
    ],
    [
      "with a broken chunk",
      (message) => answerRaw(message, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n", part, "\r\nzz\r\n"),
    ],
    ["before the headers", ({ socket }) => socket.destroy()],
    ["within the headers", (message) => answerRaw(message, "HTTP/1.1 200 OK\r\ncontent-le")],
    ["without being HTTP", (message) => answerRaw(message, "hello\r\n")],
  ])("is never a shorter input: %s", async (_, handler) => {
    world.serve(handler);
    const staged: string[] = [];
    const stage = async (_runId: string, name: string) => `${staged.push(name)}`;
    const failure = await loadFailure({ stage });
    expect(failure).toBeInstanceOf(SourceUnavailable);
    expect(failure).toMatchObject({
      message: expect.stringMatching(/^rates 2024-02-29: http:.*a\.csv could not be read/),
    });
    expect(staged).toEqual([]);
  });
});

describe("the limits of the http loader", () => {
  const timed = async (limits: HttpDatasetLoaderOptions["limits"]) => {
    const started = performance.now();
    const failure = await loadFailure(limits === undefined ? {} : { limits });
    return { failure, took: performance.now() - started };
  };

  it("ends when a body pauses for too long", async () => {
    world.serve((_, response) => void response.writeHead(200, { "content-length": 100 }).write("a"));
    const { failure, took } = await timed({ idleTimeoutMs: 200 });
    expect(failure).toBeInstanceOf(SourceUnavailable);
    expect(took).toBeGreaterThan(150);
    expect(took).toBeLessThan(2000);
  });

  it("ends when headers do not come", async () => {
    world.serve(() => {});
    const { failure, took } = await timed({ headersTimeoutMs: 200 });
    expect(failure).toBeInstanceOf(SourceUnavailable);
    expect(took).toBeLessThan(2000);
  });

  it("ends when a body trickles past the limit of the whole", async () => {
    world.serve((_, response) => {
      response.writeHead(200, { "content-length": 1000 });
      const timer = setInterval(() => response.write("a"), 20);
      response.on("close", () => clearInterval(timer));
    });
    const { failure, took } = await timed({ transferTimeoutMs: 300 });
    expect(failure).toBeInstanceOf(SourceUnavailable);
    expect(String(failure)).toContain("within 0.3 s");
    expect(took).toBeLessThan(1000);
  });

  it("says that nobody listens, or that the name is unknown", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await new Promise((ready) => closed.once("listening", ready));
    const address = closed.address();
    const port = typeof address === "object" ? address?.port : 0;
    await new Promise((done) => closed.close(done));
    for (const uri of [`http://127.0.0.1:${port}/a`, `http://localhost:${port}/a`, "http://no-such-host.invalid/a"]) {
      await expect(world.loader().load(requestFor({ uri }), [])).rejects.toThrow(SourceUnavailable);
    }
  });
});

describe("the http loader, aborted", () => {
  it.each<[string, Handler]>([
    ["before the headers", () => {}],
    ["within the body", (_, response) => void response.writeHead(200, { "content-length": 100 }).write("a")],
    ["within a gzip", (_, response) => void response.writeHead(200, { "content-encoding": "gzip" }).write("\x1f")],
  ])("ends at once %s, with the reason and without a scratch file", async (_, handler) => {
    world.serve(handler);
    const stop = new AbortController();
    const reason = new Error("cancelled");
    const work = world.loader().load(request("a", "b", "c", "d", "e", "f"), [], stop.signal);
    const settled = work.catch((error: unknown) => error);
    await pause(150);
    const started = performance.now();
    stop.abort(reason);
    expect(await settled).toBe(reason);
    expect(performance.now() - started).toBeLessThan(200);
    expect(await world.scratchFiles()).toEqual([]);
    expect(world.requests).toHaveLength(4);
  });

  it("ends the other files when one fails, and says why the first failed", async () => {
    world.serve(({ url }, response) => {
      if (url === "/b") response.writeHead(404).end();
      else response.writeHead(200, { "content-length": 100 }).write("a");
    });
    const started = performance.now();
    await expect(world.loader().load(request("a", "b", "c"), [])).rejects.toThrow(InputMissing);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe("the http loader and its store", () => {
  it("passes the failure of the store on and leaves no scratch file", async () => {
    world.serve((_, response) => response.end("a"));
    const away = new StoreUnavailable("the store is away");
    expect(await loadFailure({ stage: () => Promise.reject(away) })).toBe(away);
  });

  it("says that the scratch folder cannot be used", async () => {
    world.serve((_, response) => response.end("a"));
    expect(await loadFailure({ scratchFolder: "/dev/null/scratch" })).toBeInstanceOf(StoreUnavailable);
  });

  it("says that the scratch disk is full, not that the source is away", async () => {
    world.serve((_, response) => response.end("a"));
    const { download } = await import("../../../src/infrastructure/loader/http-download.ts");
    const { request: get } = await import("undici");
    const answer = await get(`${world.first}/a.csv`);
    const target = { subject: "a", path: "/dev/full", provenLater: false };
    await expect(download(answer, target, AbortSignal.timeout(5000))).rejects.toThrow(StoreUnavailable);
  });

  it("gives a file the same name in the store in every attempt, made of letters, digits and a hyphen", async () => {
    world.serve((_, response) => response.end("a"));
    const names: string[] = [];
    const stage = async (_runId: string, name: string) => `${names.push(name)}`;
    await world.loader({ stage }).load(request("../%2e%2e/x y", "b?c=d"), []);
    await world.loader({ stage }).load(request("b?c=d"), []);
    expect(names.every((name) => /^input-[0-9a-f]{16}$/.test(name))).toBe(true);
    expect(new Set(names).size).toBe(2);
  });
});
