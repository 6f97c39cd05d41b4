import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Dispatcher } from "undici";
import { BadRequest } from "../../domain/model/failure.ts";
import type { InspectedInput, PinnedInput } from "../../domain/value-object/fingerprint.ts";
import { mapBounded } from "../../usecase/map-bounded.ts";
import type { DatasetLoader, LoadRequest } from "../../usecase/ports/output/dataset-loader.ts";
import { inScratchFolder, type Stage, stagedName } from "./body-file.ts";
import { checkDeclaredSha256 } from "./declared-sha256.ts";
import { allowedHosts, expandWithin } from "./expand-source.ts";
import { contentCoding, download } from "./http-download.ts";
import { dropBody, type HttpExchange, openBody } from "./http-exchange.ts";
import { header } from "./http-failure.ts";
import { withinTime } from "./within-time.ts";

export type HttpLimits = {
  /** Default: 10 seconds. */
  readonly connectTimeoutMs: number;
  /** From the request to the headers of the answer. Default: 30 seconds. */
  readonly headersTimeoutMs: number;
  /** The longest pause within a body. Default: 30 seconds. */
  readonly idleTimeoutMs: number;
  /** One file with its redirects. Default: 1 hour. */
  readonly transferTimeoutMs: number;
  /** Files fetched at the same time. Default: 4. */
  readonly concurrency: number;
};

export type HttpDatasetLoaderOptions = {
  readonly stage: Stage;
  /** Where bodies lie until they are staged. Default: the temporary folder of the system. */
  readonly scratchFolder?: string;
  /** Where the variable that `source.secret` names is looked up. Default: the environment of the process. */
  readonly environment?: Environment;
  readonly limits?: Partial<HttpLimits>;
};

const defaults: HttpLimits = {
  connectTimeoutMs: 10_000,
  headersTimeoutMs: 30_000,
  idleTimeoutMs: 30_000,
  transferTimeoutMs: 3_600_000,
  concurrency: 4,
};

/**
 * Streams http(s) bodies into the store and hashes them on the way. `uri` in a pin is the address as the definition has it
 * on that date, query included and redirects not. Bytes that were served with a Content-Encoding are pinned decoded.
 *
 * `inspect` asks with GET and drops the body, since HEAD is often refused: one request more, which tells early that nothing
 * is there, and how much. A strong validator of the previous input is asked about; a 304 proves its content.
 */
export function createHttpDatasetLoader(options: HttpDatasetLoaderOptions): DatasetLoader {
  const limits = { ...defaults, ...options.limits };
  return {
    inspect(request, previous, signal) {
      return eachAddress(request, signal, (exchange, agent, stop) => {
        const before = previous.find((input) => input.uri === exchange.address.href);
        return within(exchange, stop, (inTime) => look(exchange, before, agent, inTime));
      });
    },
    load(request, _inspected, signal) {
      return eachAddress(request, signal, (exchange, agent, stop) => pin(request, exchange, agent, stop));
    },
    /** Staged bytes do not change. */
    async verify() {},
  };

  async function eachAddress<T>(
    request: LoadRequest,
    signal: AbortSignal | undefined,
    work: (exchange: HttpExchange, agent: Dispatcher, stop: AbortSignal) => Promise<T>,
  ): Promise<readonly T[]> {
    signal?.throwIfAborted();
    const exchanges = exchangesOf(request, options.environment ?? process.env);
    // Loaded when an address is http: the client is a tenth of the start of a process.
    const { Agent } = await import("undici");
    const agent = new Agent({
      allowH2: false,
      connect: { timeout: limits.connectTimeoutMs },
      headersTimeout: limits.headersTimeoutMs,
      bodyTimeout: limits.idleTimeoutMs,
    });
    try {
      return await mapBounded(exchanges, limits.concurrency, signal, (exchange, stop) => work(exchange, agent, stop));
    } finally {
      await agent.destroy();
    }
  }

  function within<T>(
    { subject }: HttpExchange,
    stop: AbortSignal,
    work: (inTime: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return withinTime(subject, limits.transferTimeoutMs, stop, work);
  }

  async function pin(
    request: LoadRequest,
    exchange: HttpExchange,
    agent: Dispatcher,
    stop: AbortSignal,
  ): Promise<PinnedInput> {
    const declared = request.source.sha256?.toLowerCase();
    return inScratchFolder(options.scratchFolder ?? tmpdir(), async (folder) => {
      const target = { subject: exchange.subject, path: join(folder, "body"), provenLater: declared !== undefined };
      const { answer, file } = await within(exchange, stop, async (inTime) => {
        const opened = await openBody(exchange, agent, inTime);
        return { answer: opened, file: await download(opened, target, inTime) };
      });
      const fetchedAt = new Date().toISOString();
      const uri = exchange.address.href;
      const { path, sizeBytes, sha256, sentSha256 } = file;
      if (sentSha256 !== declared) checkDeclaredSha256(request, [{ uri, sha256 }]);
      const location = await options.stage(request.runId, stagedName(uri), { path, sizeBytes, sha256 });
      return { uri, location, sizeBytes, sha256, ...validators(answer), fetchedAt };
    });
  }
}

async function look(
  exchange: HttpExchange,
  previous: PinnedInput | undefined,
  agent: Dispatcher,
  signal: AbortSignal,
): Promise<InspectedInput> {
  const uri = exchange.address.href;
  const ifNoneMatch = strongEtag(previous?.etag);
  const answer = await openBody(ifNoneMatch === undefined ? exchange : { ...exchange, ifNoneMatch }, agent, signal);
  dropBody(answer);
  if (answer.statusCode === 304) {
    // If-None-Match compares weakly: a 304 that names another validator proves nothing.
    const proven = answer.headers["etag"] === undefined || answer.headers["etag"] === ifNoneMatch;
    if (previous === undefined || ifNoneMatch === undefined || !proven) return { uri };
    const { sizeBytes, sha256 } = previous;
    return { uri, sizeBytes, ...(sha256 === undefined ? {} : { sha256 }), etag: ifNoneMatch };
  }
  const length = contentCoding(answer.headers) === "identity" ? header(answer.headers, "content-length") : undefined;
  const size = length !== undefined && /^[0-9]+$/.test(length) ? { sizeBytes: Number(length) } : {};
  return { uri, ...size, ...validators(answer) };
}

type Environment = Readonly<Record<string, string | undefined>>;

function exchangesOf(request: LoadRequest, environment: Environment): readonly HttpExchange[] {
  const { source, dataset, date } = request;
  const addresses = expandWithin("http", request);
  const hosts = allowedHosts(source, addresses);
  const secret = secretOf(source.secret, environment);
  return addresses.map(({ href, url }) => ({ subject: `${dataset} ${date}: ${href}`, address: url, hosts, ...secret }));
}

function secretOf(variable: string | undefined, environment: Environment): Pick<HttpExchange, "secret"> {
  if (variable === undefined) return {};
  const value = environment[variable]?.trim();
  if (value === undefined || value === "") {
    throw new BadRequest(`source.secret names ${variable}, which the environment does not have`);
  }
  if (!/^[\x20-\x7e]+$/.test(value)) {
    throw new BadRequest(`the secret in ${variable} must be one line of printable ASCII characters`);
  }
  return { secret: { variable, value } };
}

function validators({ headers }: Dispatcher.ResponseData): Pick<PinnedInput, "etag" | "modifiedAt"> {
  const etag = strongEtag(header(headers, "etag"));
  const modified = Date.parse(header(headers, "last-modified") ?? "");
  return {
    ...(etag === undefined ? {} : { etag }),
    ...(Number.isNaN(modified) ? {} : { modifiedAt: new Date(modified).toISOString() }),
  };
}

function strongEtag(etag: string | undefined): string | undefined {
  return etag !== undefined && /^"[\x21\x23-\x7e]*"$/.test(etag) ? etag : undefined;
}
