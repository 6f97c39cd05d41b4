import { randomBytes } from "node:crypto";
import { Agent, createServer, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { expect, inject, onTestFinished, test } from "vitest";
import { type Fault, type FaultPlan, s3Error, seededFaults, startFaultProxy } from "./fault-proxy.ts";
import { s3ClientOf } from "./s3-servers.ts";
import { eventually } from "./service.ts";

type Seen = {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
  readonly whole: boolean;
};

/** Answers a request with `answer` for every path, and notes what has arrived of it. */
async function startServer(answer = "answer") {
  const seen: Seen[] = [];
  const server = createServer(async (incoming, response) => {
    const { method, url, headers, rawHeaders } = incoming;
    let body = "";
    try {
      for await (const chunk of incoming) body += chunk;
    } catch {
      // What did come is noted below.
    }
    seen.push({ method, url, headers, rawHeaders, body, whole: incoming.complete });
    if (url === "/chunked") response.flushHeaders();
    else response.setHeader("content-length", Buffer.byteLength(answer));
    response.end(method === "HEAD" ? undefined : answer);
  });
  await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return { seen, target: new URL(`http://127.0.0.1:${address.port}`) };
}

async function startProxy(target: URL, plan: FaultPlan) {
  const proxy = await startFaultProxy({ target, plan });
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

/** The fault for the first request only. */
const once =
  (fault: Fault): FaultPlan =>
  ({ index }) =>
    index === 0 ? fault : undefined;

type Asking = {
  readonly path?: string;
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string> | readonly string[];
  readonly agent?: Agent;
};

/** Settles with the whole answer. @throws with what had come of its body in `got` */
async function ask(endpoint: string, { path = "/", method = "GET", body, headers = {}, agent }: Asking = {}) {
  return await new Promise<{ status: number | undefined; headers: IncomingHttpHeaders; text: string }>(
    (settle, reject) => {
      const sent = request(new URL(path, endpoint), { method, headers, agent: agent ?? false });
      sent.once("error", (error) => reject(Object.assign(error, { got: undefined })));
      sent.once("response", async (answer) => {
        let text = "";
        try {
          for await (const chunk of answer) text += chunk;
          settle({ status: answer.statusCode, headers: answer.headers, text });
        } catch (error) {
          reject(Object.assign(error instanceof Error ? error : new Error(String(error)), { got: text }));
        }
      });
      if (headers && "expect" in headers) sent.once("continue", () => sent.end(body));
      else sent.end(body);
    },
  );
}

const reset = { code: "ECONNRESET", got: undefined };

test("a request passes unchanged: its path, the case, order and repetition of its headers, its Host, its body", async () => {
  const { seen, target } = await startServer();
  const proxy = await startProxy(target, () => undefined);
  const headers = ["Host", "signed.example:1", "X-Amz-B", "2", "x-amz-a", "1", "X-Amz-B", "3", "Content-Length", "4"];
  const path = "/a%20b/%2F?x=%7E&x-id=PutObject";
  const answer = await ask(proxy.endpoint, { method: "PUT", path, headers, body: "body" });
  expect(answer).toMatchObject({ status: 200, text: "answer", headers: { "content-length": "6" } });
  expect(seen).toMatchObject([{ method: "PUT", url: path, body: "body" }]);
  expect(seen[0]?.rawHeaders.slice(0, headers.length)).toEqual(headers);
});

test.each(["GET", "HEAD", "POST", "DELETE"])("%s without a body gets its answer, whole or chunked", async (method) => {
  const { seen, target } = await startServer();
  const proxy = await startProxy(target, () => undefined);
  const text = method === "HEAD" ? "" : "answer";
  expect(await ask(proxy.endpoint, { method })).toMatchObject({ status: 200, text });
  expect(await ask(proxy.endpoint, { method, path: "/chunked" })).toMatchObject({ status: 200, text });
  expect(seen.map((each) => [each.method, each.body, each.whole])).toEqual(Array(2).fill([method, "", true]));
});

test("many requests share a connection, with faults between them", async () => {
  const { seen, target } = await startServer();
  const planned: (Fault | undefined)[] = [undefined, s3Error(503, "SlowDown"), { kind: "delay", ms: 1 }, undefined];
  const proxy = await startProxy(target, ({ index }) => planned[index]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  let connections = 0;
  const statuses: unknown[] = [];
  for (const _ of planned) {
    const body = randomBytes(200_000);
    const sent = request(proxy.endpoint, { method: "PUT", agent });
    sent.once("socket", (socket) => socket.once("connect", () => (connections += 1)));
    const answer = await new Promise<IncomingMessage>((settle, reject) =>
      sent.once("response", settle).once("error", reject).end(body),
    );
    for await (const _ of answer);
    statuses.push(answer.statusCode);
  }
  expect([statuses, connections, seen.length]).toEqual([[200, 503, 200, 200], 1, 3]);
});

test("a client that waits for 100 Continue hears it from the server", async () => {
  const { seen, target } = await startServer();
  const proxy = await startProxy(target, ({ index }) =>
    index === 1 ? s3Error(409, "ConditionalRequestConflict") : undefined,
  );
  const asking = { method: "PUT", body: "body", headers: { expect: "100-continue", "content-length": "4" } };
  expect(await ask(proxy.endpoint, asking)).toMatchObject({ status: 200 });
  expect(seen).toMatchObject([{ body: "body", headers: { expect: "100-continue" } }]);
  expect(await ask(proxy.endpoint, asking)).toMatchObject({ status: 409 });
  expect(seen).toHaveLength(1);
});

test("a delayed request arrives later", async () => {
  const { seen, target } = await startServer();
  const proxy = await startProxy(target, once({ kind: "delay", ms: 150 }));
  const started = performance.now();
  expect(await ask(proxy.endpoint, { method: "PUT", body: "body" })).toMatchObject({ status: 200, text: "answer" });
  expect(performance.now() - started).toBeGreaterThan(145);
  expect(seen).toMatchObject([{ body: "body", whole: true }]);
  expect(proxy.faults()).toMatchObject({ delay: 1 });
});

test("a reset before the request leaves the server alone", async () => {
  const { seen, target } = await startServer();
  const proxy = await startProxy(target, once({ kind: "reset-before" }));
  await expect(ask(proxy.endpoint, { method: "PUT", body: "body" })).rejects.toMatchObject(reset);
  expect(seen).toEqual([]);
  expect(await ask(proxy.endpoint)).toMatchObject({ status: 200 });
  expect([proxy.requests(), proxy.faults()]).toMatchObject([2, { "reset-before": 1 }]);
});

test("an answer of the proxy's own leaves the server alone", async () => {
  const { seen, target } = await startServer();
  const plan = once({ kind: "answer", status: 500, body: "no", headers: { "retry-after": "1" } });
  const proxy = await startProxy(target, plan);
  const answer = await ask(proxy.endpoint, { method: "PUT", body: "body" });
  expect(answer).toMatchObject({ status: 500, text: "no", headers: { "retry-after": "1" } });
  expect([seen, proxy.faults().answer]).toEqual([[], 1]);
});

test.each([
  { afterBytes: 0, arrives: 0 },
  { afterBytes: 70_000, arrives: 70_000 },
  { afterBytes: 1_000_000, arrives: 99_999 },
])("of a request that is cut after $afterBytes bytes, $arrives of 100,000 arrive", async ({ afterBytes, arrives }) => {
  const { seen, target } = await startServer();
  const proxy = await startProxy(target, once({ kind: "cut-request", afterBytes }));
  const body = "x".repeat(100_000);
  await expect(ask(proxy.endpoint, { method: "PUT", body })).rejects.toMatchObject({ got: undefined });
  await eventually(() => seen.length === 1);
  expect([seen[0]?.body.length, seen[0]?.whole]).toEqual([arrives, false]);
  expect(proxy.faults()).toMatchObject({ "cut-request": 1 });
});

test("a chunked request that is cut never ends for the server, and one without a body never reaches it", async () => {
  const { seen, target } = await startServer();
  const proxy = await startProxy(target, () => ({ kind: "cut-request", afterBytes: 1_000_000 }));
  const headers = { "transfer-encoding": "chunked" };
  await expect(ask(proxy.endpoint, { method: "PUT", body: "body", headers })).rejects.toThrow();
  await eventually(() => seen.length === 1);
  expect(seen).toMatchObject([{ body: "body", whole: false }]);
  await expect(ask(proxy.endpoint)).rejects.toThrow();
  expect([seen.length, proxy.faults()["cut-request"]]).toEqual([1, 2]);
});

test("a dropped response has taken effect, and the client has nothing of it", async () => {
  const { seen, target } = await startServer("x".repeat(1_000_000));
  const proxy = await startProxy(target, once({ kind: "drop-response" }));
  const body = randomBytes(1_000_000).toString("hex");
  await expect(ask(proxy.endpoint, { method: "PUT", body })).rejects.toMatchObject(reset);
  expect([seen[0]?.body === body, seen[0]?.whole]).toEqual([true, true]);
  expect(proxy.faults()).toMatchObject({ "drop-response": 1 });
});

test("a dropped response takes effect when the client leaves before it", async () => {
  let finished = 0;
  const server = createServer((incoming, response) => {
    incoming.resume().once("end", () => setTimeout(() => response.end("done", () => (finished += 1)), 200));
  });
  await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const proxy = await startProxy(new URL(`http://127.0.0.1:${port}`), once({ kind: "drop-response" }));
  const sent = request(proxy.endpoint, { method: "PUT", agent: false }).end("body");
  sent.once("error", () => undefined);
  setTimeout(() => sent.destroy(), 100);
  await eventually(() => proxy.faults()["drop-response"] === 1);
  expect(finished).toBe(1);
});

test.each([
  { path: "/", afterBytes: 0, got: "" },
  { path: "/", afterBytes: 3, got: "ans" },
  { path: "/", afterBytes: 1_000_000, got: "answe" },
  { path: "/chunked", afterBytes: 3, got: "ans" },
  { path: "/chunked", afterBytes: 1_000_000, got: "answer" },
])("of the answer of $path that is cut after $afterBytes bytes, $got comes, and not as a whole", async (each) => {
  const { seen, target } = await startServer();
  const proxy = await startProxy(target, once({ kind: "cut-response", afterBytes: each.afterBytes }));
  await expect(ask(proxy.endpoint, { path: each.path })).rejects.toMatchObject({ got: each.got });
  expect([seen.length, proxy.faults()["cut-response"]]).toEqual([1, 1]);
});

test("an answer without a body is cut within its head", async () => {
  const { target } = await startServer("");
  const proxy = await startProxy(target, ({ index }) =>
    index < 2 ? { kind: "cut-response", afterBytes: 9 } : undefined,
  );
  await expect(ask(proxy.endpoint, { method: "PUT", body: "body" })).rejects.toMatchObject({ got: undefined });
  await expect(ask(proxy.endpoint, { method: "HEAD" })).rejects.toMatchObject({ got: undefined });
  expect(await ask(proxy.endpoint)).toMatchObject({ status: 200, text: "" });
});

test("a server that is gone is a reset connection, and no fault", async () => {
  const plan: FaultPlan = ({ index }) => (index === 1 ? { kind: "drop-response" } : undefined);
  const proxy = await startProxy(new URL("http://127.0.0.1:1"), plan);
  for (const _ of [0, 1]) {
    const asked = ask(proxy.endpoint, { method: "PUT", body: "x".repeat(500_000) });
    await expect(asked).rejects.toMatchObject({ got: undefined });
  }
  expect([proxy.requests(), ...Object.values(proxy.faults())]).toEqual([2, 0, 0, 0, 0, 0, 0]);
});

test("the plan is asked in order, with what came", async () => {
  const { target } = await startServer();
  const asked: unknown[] = [];
  const proxy = await startProxy(target, ({ index, method, path, headers }) => {
    asked.push([index, method, path, headers["if-none-match"]]);
    return undefined;
  });
  await ask(proxy.endpoint, { method: "PUT", path: "/a?b", headers: { "If-None-Match": "*" } });
  await ask(proxy.endpoint);
  expect(asked).toEqual([
    [0, "PUT", "/a?b", "*"],
    [1, "GET", "/", undefined],
  ]);
});

test("disposal ends what is on its way", async () => {
  const { target } = await startServer();
  const proxy = await startFaultProxy({ target, plan: once({ kind: "delay", ms: 60_000 }) });
  const asked = ask(proxy.endpoint);
  asked.catch(() => undefined);
  await eventually(() => proxy.faults().delay === 1);
  await proxy[Symbol.asyncDispose]();
  await expect(asked).rejects.toMatchObject({ got: undefined });
  await expect(ask(proxy.endpoint)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("seeded faults have their rates, and are the same for the same seed", () => {
  const drop: Fault = { kind: "drop-response" };
  const slow = s3Error(503, "SlowDown");
  const run = (seed: number) => {
    const plan = seededFaults(seed, [
      [0.1, drop],
      [0.2, slow],
    ]);
    return Array.from({ length: 10_000 }, (_, index) => plan({ index, method: "GET", path: "/", headers: {} }));
  };
  const faults = run(1);
  const share = (fault: Fault | undefined) => faults.filter((each) => each === fault).length / faults.length;
  expect(share(drop)).toBeCloseTo(0.1, 1);
  expect(share(slow)).toBeCloseTo(0.2, 1);
  expect(share(undefined)).toBeCloseTo(0.7, 1);
  expect(run(1).map((each) => each?.kind)).toEqual(faults.map((each) => each?.kind));
  expect(run(2).map((each) => each?.kind)).not.toEqual(faults.map((each) => each?.kind));
});

test("an object whose put was answered to nobody is there", async () => {
  const s3 = inject("s3");
  const plan: FaultPlan = ({ method }) => (method === "PUT" ? { kind: "drop-response" } : undefined);
  const proxy = await startProxy(new URL(s3.endpoint), plan);
  const client = s3ClientOf({ ...s3, endpoint: proxy.endpoint });
  const object = { Bucket: s3.bucket, Key: `fault-proxy/${crypto.randomUUID()}` };
  await expect(client.send(new PutObjectCommand({ ...object, Body: "text" }))).rejects.toMatchObject({
    code: "ECONNRESET",
  });
  const { Body } = await client.send(new GetObjectCommand(object));
  expect(await Body?.transformToString()).toBe("text");
  expect(proxy.faults()).toMatchObject({ "drop-response": 1 });
});

test("S3 takes a signed object of some megabytes through the proxy, and does not take one that was cut", async () => {
  const s3 = inject("s3");
  const proxy = await startProxy(new URL(s3.endpoint), once({ kind: "cut-request", afterBytes: 3_000_000 }));
  const client = s3ClientOf({ ...s3, endpoint: proxy.endpoint });
  const object = { Bucket: s3.bucket, Key: `fault-proxy/${crypto.randomUUID()}` };
  const content = randomBytes(9_000_000);
  await expect(client.send(new PutObjectCommand({ ...object, Body: content }))).rejects.toThrow();
  await expect(client.send(new GetObjectCommand(object))).rejects.toMatchObject({ name: "NoSuchKey" });
  await client.send(new PutObjectCommand({ ...object, Body: content }));
  const { Body } = await client.send(new GetObjectCommand(object));
  expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(content)).toBe(true);
});
