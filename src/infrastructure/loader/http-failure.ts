import type { IncomingHttpHeaders } from "node:http";
import { AnalysisFailure, type FailureDetails, InputMissing, SourceUnavailable } from "../../domain/model/failure.ts";
import { errorCode } from "../error-code.ts";

/** A header that came once; nothing where it is absent or repeated. */
export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

/**
 * What an answer other than 200 means: 204, 404 and 410 say that nothing is there. All others may pass, so they are
 * tried again within bounds; `details.retryAfterMs` where the source asked for a pause.
 * @param secret the variable whose value was sent, if one was
 */
export function statusFailure(
  subject: string,
  status: number,
  headers: IncomingHttpHeaders,
  secret: string | undefined,
): AnalysisFailure {
  const retryAfterMs = retryAfter(headers);
  const details: FailureDetails = { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  switch (status) {
    case 204:
    case 404:
    case 410:
      return new InputMissing(`${subject} does not exist, the server answered ${status}`, { details });
    case 401:
    case 403:
      return new SourceUnavailable(`${subject} is refused with ${status}, ${secretAdvice(secret)}`, { details });
    default:
      return new SourceUnavailable(`${subject} must be answered with 200, got ${status}`, { details });
  }
}

/**
 * What it means when an answer did not come, or not to its end. No `cause`: an error of the http client may hold the raw
 * answer, and so the signed address of a redirect. Its message names hosts at most.
 */
export function networkFailure(subject: string, error: unknown): AnalysisFailure {
  if (error instanceof AnalysisFailure) return error;
  const reason =
    error instanceof Error ? [error.message || error.name, errorCode(error)].filter(Boolean).join(", ") : "";
  return new SourceUnavailable(`${subject} could not be read to its end: ${reason}`);
}

function secretAdvice(secret: string | undefined): string {
  return secret === undefined
    ? "and source.secret names no secret to send"
    : `although the secret in ${secret} was meant for it; it may be wrong or too old`;
}

/** Retry-After in milliseconds. A date is read by the clock of the server that sent it. */
export function retryAfter(headers: IncomingHttpHeaders): number | undefined {
  const text = header(headers, "retry-after")?.trim();
  if (text === undefined) return undefined;
  if (/^[0-9]+$/.test(text)) return Number(text) * 1000;
  const until = Date.parse(text);
  const now = Date.parse(header(headers, "date") ?? "");
  return Number.isNaN(until) ? undefined : Math.max(0, until - (Number.isNaN(now) ? Date.now() : now));
}
