import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  paginateListObjectsV2,
  type S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { AnalysisFailure, InputChanged, InputMissing, SourceUnavailable } from "../../domain/model/failure.ts";
import type { PinnedInput } from "../../domain/value-object/fingerprint.ts";
import { s3Reason, statusOf } from "../store/s3-client.ts";
import { type BodyFile, Meter, writeBody } from "./body-file.ts";
import { retryAfter } from "./http-failure.ts";
import type { S3Address } from "./s3-address.ts";

/** What S3 tells of an object beside its bytes. */
export type ObjectState = Required<Pick<PinnedInput, "sizeBytes">> &
  Pick<PinnedInput, "etag" | "versionId" | "modifiedAt">;

/** One question to S3. `subject` is what failures are about. */
export type S3Question = {
  readonly client: S3Client;
  readonly subject: string;
  readonly address: S3Address;
  readonly signal: AbortSignal;
};

/** @throws InputMissing, SourceUnavailable */
export function stateOf(question: S3Question): Promise<ObjectState> {
  return asked(question, async ({ client, address, signal }) => {
    const at = { Bucket: address.bucket, Key: address.key };
    try {
      return state(await client.send(new HeadObjectCommand(at), { abortSignal: signal }));
    } catch (error) {
      const status = statusOf(error);
      if (status === undefined || status === 404) throw error;
      // The refusal of a HEAD has no body, and so no reason.
      const answer = await client.send(new GetObjectCommand({ ...at, Range: "bytes=0-0" }), { abortSignal: signal });
      drop(answer);
      throw error;
    }
  });
}

/**
 * The keys that begin with a text, in no order that matters.
 * @throws InputMissing when the bucket is not there, SourceUnavailable
 */
export function keysWith(question: S3Question, prefix: string): Promise<readonly string[]> {
  return asked(question, async ({ client, address, signal }) => {
    const keys: string[] = [];
    const list = { Bucket: address.bucket, Prefix: prefix };
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, list, { abortSignal: signal })) {
      for (const { Key } of Contents) if (Key !== undefined) keys.push(Key);
    }
    return keys;
  });
}

/**
 * Whether the object, if it still is what was seen, begins with these bytes.
 * @throws InputMissing, InputChanged, SourceUnavailable
 */
export function beginsWith(question: S3Question, etag: string, magic: Buffer): Promise<boolean> {
  return asked(question, async ({ client, address: { bucket, key }, signal }) => {
    const range = `bytes=0-${magic.length - 1}`;
    const command = new GetObjectCommand({ Bucket: bucket, Key: key, IfMatch: etag, Range: range });
    const { Body } = await client.send(command, { abortSignal: signal });
    return Body !== undefined && magic.equals(await Body.transformToByteArray());
  });
}

/**
 * Streams the object into a new file and hashes it on the way; what is told of it is of these very bytes. The client
 * checks them against the checksum that S3 keeps, where it keeps one of the whole.
 * @throws InputMissing, SourceUnavailable also when the body ends early or stalls, StoreUnavailable when the disk refuses
 */
export function fetchObject(question: S3Question, path: string): Promise<ObjectState & BodyFile> {
  return asked(question, async ({ client, subject, address: { bucket, key }, signal }) => {
    const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), { abortSignal: signal });
    if (answer.ContentLength === undefined) {
      drop(answer);
      throw new SourceUnavailable(`${subject} must be sent with its length, since a body that is cut would look whole`);
    }
    const meter = new Meter();
    let saved = Promise.resolve();
    const save = (chunks: AsyncIterable<Buffer>) => {
      saved = writeBody(path, meter.pass(chunks));
      return saved;
    };
    try {
      await pipeline(answer.Body as Readable, save, { signal });
    } catch (error) {
      // A pipeline may fail before its last step has let go of the file.
      await saved.catch(() => {});
      throw error;
    }
    return { ...state(answer), path, sha256: meter.sha256() };
  });
}

function state(answer: HeadObjectCommandOutput | GetObjectCommandOutput): ObjectState {
  const { ContentLength = 0, ETag, VersionId, LastModified } = answer;
  return {
    sizeBytes: ContentLength,
    ...(ETag !== undefined && /^"[\x21\x23-\x7e]+"$/.test(ETag) ? { etag: ETag } : {}),
    // S3 calls the version of an object from before its bucket kept any "null", and overwrites it.
    ...(VersionId === undefined || VersionId === "null" ? {} : { versionId: VersionId }),
    ...(LastModified === undefined ? {} : { modifiedAt: LastModified.toISOString() }),
  };
}

function drop({ Body }: GetObjectCommandOutput): void {
  const body = Body as Readable | undefined;
  body?.on("error", () => {});
  body?.destroy();
}

async function asked<T>(question: S3Question, ask: (question: S3Question) => Promise<T>): Promise<T> {
  try {
    return await ask(question);
  } catch (error) {
    if (question.signal.aborted) throw question.signal.reason;
    throw failureOf(question.subject, error);
  }
}

/** No `cause`: an error of the client may hold the request, and so a session token. */
function failureOf(subject: string, error: unknown): AnalysisFailure {
  if (error instanceof AnalysisFailure) return error;
  const status = statusOf(error);
  const reason = isOfChecksum(error) ? "the bytes that came have another checksum than S3 says" : s3Reason(error);
  switch (status) {
    case undefined:
      return new SourceUnavailable(`${subject} could not be read to its end: ${reason}`);
    case 404:
      return new InputMissing(`${subject} does not exist${isOfBucket(error) ? `: ${reason}` : ""}`);
    case 412:
      return new InputChanged(`${subject} must stay as it is during a run: it was replaced`);
    case 401:
    case 403:
      return new SourceUnavailable(`${subject} is refused with ${status}: ${reason}${doubt(error)}`, {
        details: { status },
      });
    default:
      return new SourceUnavailable(`${subject} cannot be read: ${reason}`, { details: { status, ...pause(error) } });
  }
}

function isOfChecksum(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Checksum mismatch");
}

function isOfBucket(error: unknown): boolean {
  return error instanceof Error && error.name === "NoSuchBucket";
}

/** Who may not list a bucket is not told what is missing in it. */
function doubt(error: unknown): string {
  return error instanceof Error && error.name === "AccessDenied"
    ? ", which S3 also says of a missing key when the bucket may not be listed"
    : "";
}

function pause(error: unknown): { readonly retryAfterMs?: number } {
  const headers = error instanceof S3ServiceException ? error.$response?.headers : undefined;
  const retryAfterMs = headers === undefined ? undefined : retryAfter(headers);
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}
