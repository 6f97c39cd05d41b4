import { BadRequest } from "../../domain/model/failure.ts";
import { shown } from "./shown-address.ts";

/** `href` is what people see: the key in it is written as it is, without escapes. */
export type S3Address = { readonly href: string; readonly bucket: string; readonly key: string };

const longestKeyBytes = 1024;

/**
 * `s3://bucket/key`. What follows the bucket is the key to the letter: `%`, `?`, `#` and spaces stand for themselves.
 * @throws BadRequest with the field `source.uri`
 */
export function parseS3Address(text: string): S3Address {
  const [, bucket = "", key] = /^s3:\/\/([^/]*)(?:\/(.*))?$/is.exec(text) ?? [];
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) || bucket.includes("..") || /^[0-9.]+$/.test(bucket)) {
    throw new BadRequest(
      "source.uri must name a bucket after s3://, of 3 to 63 lower-case letters, digits, dots and hyphens, " +
        `and neither a user nor a port, got ${shown(text)}`,
    );
  }
  const fault = key === undefined ? "must not be empty" : faultOf(key);
  if (key === undefined || fault !== undefined) {
    throw new BadRequest(`source.uri must be s3://bucket/key, and the key ${fault}, got ${shown(text)}`);
  }
  return { href: `s3://${bucket}/${key}`, bucket, key };
}

/** Clients take such keys for others on the way. */
function faultOf(key: string): string | undefined {
  if (key === "") return "must not be empty";
  if (key.split("/").some((part) => part === "" || part === "." || part === ".."))
    return 'must have no part that is empty, "." or ".."';
  if (!key.isWellFormed() || /\p{Cc}/u.test(key)) return "must be text without control characters";
  return Buffer.byteLength(key) > longestKeyBytes ? `must have at most ${longestKeyBytes} bytes` : undefined;
}
