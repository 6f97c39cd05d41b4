import { BadRequest } from "../model/failure.ts";

/** Names one attempt to publish: Temporal's run id, or a UUID of its own. 1 to 64 letters, digits, `-` and `_`. */
export type RunId = string & { readonly RunId: never };

export function isRunId(text: unknown): text is RunId {
  return typeof text === "string" && /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(text);
}

/** @throws BadRequest unless the text can name a run in keys and paths. */
export function parseRunId(text: unknown): RunId {
  if (!isRunId(text)) {
    throw new BadRequest(
      `run id must be 1 to 64 letters, digits, "-" or "_", got ${JSON.stringify(text) ?? "nothing"}`,
    );
  }
  return text;
}
