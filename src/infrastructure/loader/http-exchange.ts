import type { Dispatcher } from "undici";
import { BadRequest, SourceUnavailable } from "../../domain/model/failure.ts";
import { isAllowedHost } from "./expand-source.ts";
import { header, networkFailure, statusFailure } from "./http-failure.ts";

/** One address to get, and whom its secret may reach. */
export type HttpExchange = {
  /** Dataset, date and address, for messages. */
  readonly subject: string;
  readonly address: URL;
  readonly hosts: readonly string[];
  readonly secret?: { readonly variable: string; readonly value: string };
  /** A strong validator: the answer may be 304. */
  readonly ifNoneMatch?: string;
};

const maxRedirects = 5;
const redirects: readonly number[] = [301, 302, 303, 307, 308];

/**
 * The answer 200, or 304 where it was asked for, after at most five redirects. Each hop keeps to http(s), to the allowed
 * hosts, and never leaves https; the secret is dropped for good when the host changes. Where a redirect leads is not
 * shown to anyone: it may carry a signature.
 * @throws InputMissing, SourceUnavailable; BadRequest when a redirect is not allowed
 */
export async function openBody(
  exchange: HttpExchange,
  dispatcher: Dispatcher,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const { subject, secret, ifNoneMatch } = exchange;
  let { address } = exchange;
  let sendsSecret = true;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const answer = await get(address);
    if (answer.statusCode === 200 || (answer.statusCode === 304 && ifNoneMatch !== undefined)) return answer;
    dropBody(answer);
    if (!redirects.includes(answer.statusCode)) {
      throw statusFailure(subject, answer.statusCode, answer.headers, sendsSecret ? secret?.variable : undefined);
    }
    const next = nextAddress(exchange, address, header(answer.headers, "location"));
    sendsSecret &&= next.host === address.host;
    address = next;
  }
  throw new SourceUnavailable(`${subject} must be reached within ${maxRedirects} redirects`);

  async function get(from: URL): Promise<Dispatcher.ResponseData> {
    const { request } = await import("undici");
    try {
      return await request(from, {
        dispatcher,
        signal,
        headers: {
          accept: "*/*",
          "accept-encoding": "identity",
          "user-agent": "polars-analysis-service",
          ...(ifNoneMatch === undefined ? {} : { "if-none-match": ifNoneMatch }),
          ...(secret !== undefined && sendsSecret ? { authorization: secret.value } : {}),
        },
      });
    } catch (error) {
      throw signal.aborted ? signal.reason : networkFailure(subject, error);
    }
  }
}

/** Ends the answer without reading it; the connection goes with it. */
export function dropBody({ body }: Dispatcher.ResponseData): void {
  body.on("error", () => {});
  body.destroy();
}

function nextAddress({ subject, hosts }: HttpExchange, from: URL, location: string | undefined): URL {
  const next = location === undefined ? null : URL.parse(location, from.href);
  if (next === null) throw new SourceUnavailable(`${subject} is redirected without a usable Location`);
  if (next.protocol !== "https:" && next.protocol !== from.protocol) {
    throw new BadRequest(`${subject} is redirected from ${from.protocol} to ${next.protocol}, which is not allowed`);
  }
  if (next.username !== "" || next.password !== "") {
    throw new BadRequest(`${subject} is redirected to ${next.host} with a user name, which is not allowed`);
  }
  if (!isAllowedHost(next, hosts)) {
    throw new BadRequest(`${subject} is redirected to ${next.host}, which source.allowedHosts does not name`, {
      details: { host: next.host },
    });
  }
  return next;
}
