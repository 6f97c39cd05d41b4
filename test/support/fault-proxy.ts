import { createHash } from "node:crypto";
import {
  type ClientRequest,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
  request as send,
} from "node:http";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

const host = "127.0.0.1";

export type Fault =
  /** The request waits before it is passed on. */
  | { readonly kind: "delay"; readonly ms: number }
  /** The server hears nothing of the request, the client's connection is reset. */
  | { readonly kind: "reset-before" }
  /** The server gets that much of the body, at most all but its last byte, then both connections end. */
  | { readonly kind: "cut-request"; readonly afterBytes: number }
  /** The server has answered, so what was asked has been done, but the client's connection is reset. */
  | { readonly kind: "drop-response" }
  /** The client gets that much of the answer's body, at most all but its last byte, then its connection ends. */
  | { readonly kind: "cut-response"; readonly afterBytes: number }
  /** The server hears nothing of the request. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    };

export type FaultKind = Fault["kind"];

export type PlannedRequest = {
  /** From 0, in the order of arrival. */
  readonly index: number;
  readonly method: string;
  /** With the query, as it was sent. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
};

export type FaultPlan = (request: PlannedRequest) => Fault | undefined;

export type FaultProxy = AsyncDisposable & {
  readonly endpoint: string;
  /** How many have arrived. */
  readonly requests: () => number;
  /** How many times each has happened so far. */
  readonly faults: () => Readonly<Record<FaultKind, number>>;
};

/** An S3 error as a server would send it, such as `s3Error(503, "SlowDown")`. */
export function s3Error(status: number, code: string): Fault {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>planned</Message></Error>`;
  return { kind: "answer", status, body, headers: { "content-type": "application/xml" } };
}

/**
 * Each fault with its probability; what is left over of 1 is no fault. The same seed gives the same fault for the request
 * of the same index.
 */
export function seededFaults(
  seed: number,
  rates: readonly (readonly [probability: number, fault: Fault])[],
): FaultPlan {
  return ({ index }) => {
    const digest = createHash("sha256").update(`${seed}/${index}`).digest();
    let left = digest.readUInt32BE(0) / 2 ** 32;
    for (const [probability, fault] of rates) {
      if (left < probability) return fault;
      left -= probability;
    }
    return undefined;
  };
}

/**
 * Stands in front of an HTTP server and passes every request on as it came, with its Host: signatures stay valid.
 * Bodies are streamed. A server that cannot be reached looks like a connection that is reset.
 */
export async function startFaultProxy(options: {
  readonly target: URL;
  readonly plan: FaultPlan;
}): Promise<FaultProxy> {
  const faults: Record<FaultKind, number> = {
    delay: 0,
    "reset-before": 0,
    "cut-request": 0,
    "drop-response": 0,
    "cut-response": 0,
    answer: 0,
  };
  const asked = new Set<ClientRequest>();
  const disposed = new AbortController();
  let requests = 0;

  const ask = (incoming: IncomingMessage, response: ServerResponse): ClientRequest => {
    const upstream = send({
      host: options.target.hostname,
      port: options.target.port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.rawHeaders,
      setDefaultHeaders: false,
      // A kept connection that the server ends just then would be a fault that nobody has planned.
      agent: false,
    });
    asked.add(upstream);
    upstream.once("close", () => asked.delete(upstream));
    // Whoever waits for the answer hears of it through "close".
    upstream.on("error", () => undefined);
    upstream.once("continue", () => response.writeContinue());
    upstream.flushHeaders();
    return upstream;
  };

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url: path = "", headers, socket } = incoming;
    const fault = options.plan({ index: requests++, method, path, headers });
    const happened = (kind: FaultKind) => {
      faults[kind] += 1;
    };
    switch (fault?.kind) {
      case undefined:
        return await pass();
      case "delay":
        happened(fault.kind);
        await sleep(fault.ms, undefined, { signal: disposed.signal });
        return await pass();
      case "reset-before":
        happened(fault.kind);
        socket.resetAndDestroy();
        return;
      case "answer": {
        happened(fault.kind);
        incoming.resume();
        // A client that waits for "100 Continue" does not send its body after this.
        const last = headers.expect === undefined ? {} : { connection: "close" };
        response.writeHead(fault.status, { ...fault.headers, ...last }).end(fault.body);
        return;
      }
      case "cut-request": {
        if (mayHaveBody(headers)) {
          const upstream = ask(incoming, response);
          await copyPart(incoming, upstream, Math.min(fault.afterBytes, lengthOf(headers) - 1));
          upstream.destroy();
        }
        happened(fault.kind);
        socket.destroy();
        return;
      }
      case "drop-response": {
        const answer = await answerOf("even if the client leaves");
        for await (const _ of answer ?? []);
        if (answer?.complete) happened(fault.kind);
        socket.resetAndDestroy();
        return;
      }
      case "cut-response": {
        const answer = await answerOf();
        if (answer === undefined) {
          socket.resetAndDestroy();
          return;
        }
        const { statusCode = 0, statusMessage } = answer;
        if (method === "HEAD" || statusCode === 204 || statusCode === 304 || lengthOf(answer.headers) === 0) {
          await new Promise((settle) => socket.write(`HTTP/1.1 ${statusCode} ${statusMessage}\r\n`, settle));
        } else {
          response.writeHead(statusCode, statusMessage, answer.rawHeaders);
          await copyPart(answer, response, Math.min(fault.afterBytes, lengthOf(answer.headers) - 1));
        }
        happened(fault.kind);
        socket.destroy();
        return;
      }
    }

    async function answerOf(whose?: "even if the client leaves"): Promise<IncomingMessage | undefined> {
      if (socket.destroyed) return undefined;
      const upstream = ask(incoming, response);
      response.once("close", () => {
        if (whose === undefined || !upstream.writableEnded) upstream.destroy();
      });
      // A server may answer, and go, before it has read everything; the rest must not block the client's connection.
      upstream.once("close", () => incoming.resume());
      incoming.pipe(upstream);
      return await new Promise((settle) => {
        upstream.once("response", settle).once("close", () => settle(undefined));
      });
    }

    async function pass(): Promise<void> {
      const answer = await answerOf();
      if (answer === undefined) {
        socket.resetAndDestroy();
        return;
      }
      response.writeHead(answer.statusCode ?? 0, answer.statusMessage, answer.rawHeaders);
      await pipeline(answer, response);
    }
  };

  // No time-outs: neither idle connections nor slow requests may end here unless it is planned.
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
  for (const event of ["request", "checkContinue"]) {
    server.on(event, (incoming: IncomingMessage, response: ServerResponse) => {
      response.sendDate = false;
      handle(incoming, response).catch(() => incoming.socket.destroy());
    });
  }
  await new Promise<void>((settle, reject) => server.once("error", reject).listen(0, host, settle));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the proxy has no port");

  return {
    endpoint: `http://${host}:${address.port}`,
    requests: () => requests,
    faults: () => ({ ...faults }),
    async [Symbol.asyncDispose]() {
      disposed.abort();
      const closed = new Promise((settle) => server.close(settle));
      server.closeAllConnections();
      for (const upstream of asked) upstream.destroy();
      await closed;
    },
  };
}

function mayHaveBody(headers: IncomingHttpHeaders): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** Infinite when only the end of the body tells. */
function lengthOf(headers: IncomingHttpHeaders): number {
  const length = headers["content-length"];
  return length === undefined ? Number.POSITIVE_INFINITY : Number(length);
}

/** Settles when the part is with the kernel, without ending `to`; earlier when either side goes. */
async function copyPart(from: IncomingMessage, to: ClientRequest | ServerResponse, most: number): Promise<void> {
  const write = (chunk: Buffer | string) =>
    new Promise<void>((settle) => {
      if (to.destroyed) return settle();
      const done = () => {
        to.off("close", done);
        settle();
      };
      to.once("close", done);
      to.write(chunk, done);
    });
  // The head alone, too, must have left before the connection may end.
  await write("");
  let left = most;
  try {
    if (left === 0) return;
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      const part = chunk.subarray(0, left);
      left -= part.length;
      await write(part);
      if (left === 0 || to.destroyed) return;
    }
  } catch {
    // The side that sends is gone, which cuts as well.
  }
}
