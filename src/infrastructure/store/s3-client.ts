import { S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { errorCode } from "../error-code.ts";

/** What S3 needs beside AWS's own variables and configuration files, which its client reads by itself. */
export type S3ClientOptions = {
  /** Nothing for AWS itself. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  /** `https://bucket.endpoint/key` or `https://endpoint/bucket/key`. */
  readonly pathStyle: boolean;
  /** Attempts of one request, which the client repeats by itself. */
  readonly attempts?: number;
  /** In place of those that AWS's own variables and files give. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
};

const connectTimeoutMs = 5_000;
/** Without a byte in either direction. */
const idleTimeoutMs = 60_000;

export function createS3Client({ endpoint, region, pathStyle, attempts = 4, credentials }: S3ClientOptions): S3Client {
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    forcePathStyle: pathStyle,
    maxAttempts: attempts,
    requestHandler: { connectionTimeout: connectTimeoutMs, socketTimeout: idleTimeoutMs },
    logger: silent,
  });
}

// The client would write warnings of its own to the console.
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** The status of an answer, or nothing when there was none. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

/** Whether the same request may fare better: no answer came, or one that asks to come again. */
export function isPassing(error: unknown): boolean {
  const status = statusOf(error);
  if (status !== undefined) return status >= 500 || status === 429 || status === 408;
  return (
    error instanceof Error && error.name !== "CredentialsProviderError" && !/^Region is missing/.test(error.message)
  );
}

const sentences: Readonly<Record<string, string>> = {
  NoSuchBucket: "the bucket does not exist",
  AccessDenied: "access is denied",
  Forbidden: "access is denied",
  InvalidAccessKeyId: "the access key is not known there",
  SignatureDoesNotMatch: "the secret key does not belong to the access key",
  ExpiredToken: "the credentials have expired",
  InvalidToken: "the session token is not valid",
  RequestTimeTooSkewed: "the clock of this machine and the server's are too far apart",
  PermanentRedirect: "the bucket is in another region: set AWS_REGION",
  AuthorizationHeaderMalformed: "the bucket is in another region: set AWS_REGION",
  BadDigest: "the bytes that arrived have another checksum",
  XAmzContentChecksumMismatch: "the bytes that arrived have another checksum",
  XAmzContentSHA256Mismatch: "the bytes that arrived have another checksum",
  EntityTooLarge: "the object is too large for one request",
  CredentialsProviderError:
    "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
  TimeoutError: "it does not answer in time",
};

/** Half a sentence for a person, in which no credential can be. */
export function s3Reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (/^Region is missing/.test(error.message)) return "no region is set: set AWS_REGION";
  const known = sentences[error.name];
  if (known !== undefined) return known;
  const status = statusOf(error);
  if (status !== undefined) return `it answered ${status} ${error.name}`;
  const code = errorCode(error) ?? (error.cause === undefined ? undefined : errorCode(error.cause));
  return code === undefined
    ? `it cannot be reached: ${error.message.split("\n", 1)[0]}`
    : `it cannot be reached (${code})`;
}
