import { BadRequest } from "../model/failure.ts";

/** Lower-case ASCII letters, digits and inner hyphens, at most 40: safe in keys, labels, workflow ids and paths alike. */
export type DatasetId = string & { readonly DatasetId: never };

const pattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

/** @throws BadRequest unless the text is a dataset id; nothing is repaired, so that no two names collide. */
export function parseDatasetId(text: unknown): DatasetId {
  if (typeof text !== "string" || !pattern.test(text)) {
    throw new BadRequest(
      `dataset must be 1 to 40 lower-case letters, digits or inner hyphens, got ${JSON.stringify(text) ?? "nothing"}`,
    );
  }
  return text as DatasetId;
}
