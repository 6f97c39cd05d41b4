import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  paginateListObjectsV2,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import pRetry from "p-retry";
import { AnalysisFailure, StoreUnavailable } from "../../domain/model/failure.ts";
import { hashingPassThrough } from "../file-hash.ts";
import { scratchName } from "../scratch-name.ts";
import type { ObjectBody, ObjectStore, PutCondition, PutOptions } from "./object-store.ts";
import { isPassing, s3Reason, statusOf } from "./s3-client.ts";

export type S3StoreOptions = {
  readonly client: S3Client;
  readonly bucket: string;
  /** Without slashes at its ends; empty for the whole bucket. */
  readonly prefix: string;
  /** What a local copy is downloaded to. */
  readonly scratchFolder: string;
  /** The most bytes that one PutObject may carry; larger objects go in parts. */
  readonly singlePutBytes: number;
  readonly encryption?: { readonly algorithm: "AES256" | "aws:kms"; readonly keyId?: string };
  /** Of every object, as a query string: `team=data&env=prod`. */
  readonly tags?: string;
};

/** Bodies up to this size are held in memory, where the client can send them again by itself. */
const heldBytes = 8 * 2 ** 20;
const partBytes = 32 * 2 ** 20;
const mostParts = 10_000;
const partsAtOnce = 3;
const bodyRetries = 3;

/**
 * A bucket, or what lies under a prefix of it. Conditions are S3's own; every upload carries a checksum that the server
 * verifies, a file's and a staged object's its sha256.
 * @throws StoreUnavailable when the bucket cannot be listed
 */
export async function openS3ObjectStore(options: S3StoreOptions): Promise<ObjectStore & Disposable> {
  const { client, bucket, prefix, scratchFolder, singlePutBytes } = options;
  const root = prefix === "" ? "" : `${prefix}/`;
  const url = `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`;
  const shared = {
    ...(options.encryption === undefined
      ? {}
      : { ServerSideEncryption: options.encryption.algorithm, SSEKMSKeyId: options.encryption.keyId }),
    ...(options.tags === undefined ? {} : { Tagging: options.tags }),
  };
  await now();

  const store: ObjectStore & Disposable = {
    url,

    head: (key) =>
      guard(async () => {
        const seen = await orAbsent(client.send(new HeadObjectCommand(at(key))));
        if (seen === undefined) return undefined;
        return {
          key,
          sizeBytes: seen.ContentLength ?? 0,
          etag: seen.ETag ?? "",
          modifiedAt: seen.LastModified ?? new Date(0),
          metadata: seen.Metadata ?? {},
        };
      }),

    text: (key) =>
      guard(async () => {
        const got = await orAbsent(client.send(new GetObjectCommand(at(key))));
        return got?.Body?.transformToString();
      }),

    put: (key, body, putOptions = {}) =>
      guard(async () => {
        if (!("from" in body)) return put(key, body, putOptions);
        await using staged = await download(body.from, body.sha256);
        if (staged === undefined) throw new StoreUnavailable(`${body.from} is gone from the store ${url}`);
        const { sizeBytes, sha256 } = body;
        return await put(key, { path: staged.path, sizeBytes, sha256 }, putOptions);
      }),

    delete: (key) =>
      guard(async () => {
        await client.send(new DeleteObjectCommand(at(key)));
      }),

    async *list(under) {
      const pages = paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: root + under });
      for await (const page of guarded(pages)) {
        for (const { Key = "", Size = 0, LastModified = new Date() } of page.Contents ?? []) {
          yield { key: Key.slice(root.length), sizeBytes: Size, modifiedAt: LastModified };
        }
      }
    },

    local: (key) => guard(() => download(key)),

    async *unfinished() {
      for await (const page of guarded(uploads())) {
        for (const { Key = "", UploadId, Initiated = new Date() } of page.Uploads ?? []) {
          const discard = () =>
            guard(async () => {
              await orAbsent(client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId })));
            });
          const key = Key.slice(root.length);
          yield { name: key, key, startedAt: Initiated, discard };
        }
      }
    },

    now: () => guard(now),

    large: { aboveBytes: singlePutBytes, begin: (key, text) => guard(() => beginInParts(key, text)) },

    [Symbol.dispose]: () => client.destroy(),
  };
  return store;

  function at(key: string) {
    return { Bucket: bucket, Key: root + key };
  }

  async function* uploads(): AsyncIterable<ListMultipartUploadsCommandOutput> {
    let after: { readonly KeyMarker?: string | undefined; readonly UploadIdMarker?: string | undefined } | undefined =
      {};
    while (after !== undefined) {
      const page: ListMultipartUploadsCommandOutput = await client.send(
        new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: root, ...after }),
      );
      yield page;
      after =
        page.IsTruncated === true
          ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
          : undefined;
    }
  }

  /** By a list, whose refusal has a body with a reason, which that of a head has not. */
  async function now(): Promise<Date> {
    let date: Date | undefined;
    const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: root, MaxKeys: 1 });
    command.middlewareStack.add(
      (next) => async (args) => {
        const answer = await next(args);
        const { headers } = answer.response as { readonly headers?: Readonly<Record<string, string>> };
        date = new Date(headers?.["date"] ?? "");
        return answer;
      },
      { step: "deserialize", priority: "low" },
    );
    await guard(() => client.send(command));
    if (date === undefined || Number.isNaN(date.getTime())) {
      throw new StoreUnavailable(`the store ${url} must date its answers, and gave no Date header`);
    }
    return date;
  }

  async function put(
    key: string,
    body: Exclude<ObjectBody, { from: string }>,
    { condition, metadata, secondHalf }: PutOptions,
  ): Promise<boolean> {
    const target = {
      ...at(key),
      ...shared,
      ...conditionOf(condition),
      ...(metadata ? { Metadata: { ...metadata } } : {}),
    };
    if ("text" in body && secondHalf !== undefined) {
      return held(client.send(new PutObjectCommand({ ...target, ...inHalves(body.text, secondHalf) })), condition);
    }
    if ("text" in body) return held(client.send(new PutObjectCommand({ ...target, Body: body.text })), condition);
    if (body.sizeBytes > singlePutBytes) return held(uploadInParts(target, body), condition);
    const sent = {
      ...target,
      ContentLength: body.sizeBytes,
      ChecksumAlgorithm: "SHA256",
      ChecksumSHA256: Buffer.from(body.sha256, "hex").toString("base64"),
    } as const;
    if (body.sizeBytes <= heldBytes) {
      const bytes = await readFile(body.path);
      return held(client.send(new PutObjectCommand({ ...sent, Body: bytes })), condition);
    }
    const attempt = () => client.send(new PutObjectCommand({ ...sent, Body: createReadStream(body.path) }));
    return held(withRetries(attempt), condition);
  }

  async function uploadInParts(target: PutObjectCommandInput, body: FileBody): Promise<void> {
    const upload = new Upload({
      client,
      params: { ...target, Body: Readable.from(checkedBytes(body), { objectMode: false }) },
      partSize: Math.max(partBytes, Math.ceil(body.sizeBytes / (mostParts - 1))),
      queueSize: partsAtOnce,
    });
    await upload.done();
  }

  /** The smallest upload in parts that there is. */
  async function beginInParts(key: string, text: string): Promise<(condition: PutCondition) => Promise<boolean>> {
    const target = at(key);
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...target, ...shared }));
    const { ETag } = await client.send(new UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body: text }));
    return (condition) =>
      guard(async () => {
        const complete = new CompleteMultipartUploadCommand({
          ...target,
          UploadId,
          MultipartUpload: { Parts: [{ ETag, PartNumber: 1 }] },
          ...conditionOf(condition),
        });
        const won = await held(client.send(complete), condition);
        if (!won) await orAbsent(client.send(new AbortMultipartUploadCommand({ ...target, UploadId })));
        return won;
      });
  }

  /** Checked while it is written; a body that breaks off is fetched again from its start. */
  async function download(
    key: string,
    expected?: string,
  ): Promise<(AsyncDisposable & { readonly path: string }) | undefined> {
    const path = join(scratchFolder, scratchName("local-copy") + randomUUID());
    const remove = () => rm(path, { force: true });
    try {
      const found = await withRetries(async () => {
        await remove();
        const got = await orAbsent(client.send(new GetObjectCommand(at(key))));
        if (got?.Body === undefined) return false;
        const hash = createHash("sha256");
        await pipeline(got.Body as Readable, hashingPassThrough(hash), createWriteStream(path, { flags: "wx" }));
        const sha256 = hash.digest("hex");
        if (expected !== undefined && sha256 !== expected) {
          throw new StoreUnavailable(`${key} was expected to have the sha256 ${expected}, but it has ${sha256}`);
        }
        return true;
      });
      return found ? { path, [Symbol.asyncDispose]: remove } : undefined;
    } catch (error) {
      await remove();
      throw error;
    }
  }

  async function guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw failure(error);
    }
  }

  async function* guarded<T>(pages: AsyncIterable<T>): AsyncIterable<T> {
    try {
      yield* pages;
    } catch (error) {
      throw failure(error);
    }
  }

  function failure(error: unknown): AnalysisFailure {
    if (error instanceof AnalysisFailure) return error;
    return new StoreUnavailable(`the store ${url} must be a bucket that can be read and written: ${s3Reason(error)}`, {
      cause: error,
    });
  }
}

/** For bodies that stream, which the client cannot send or take again by itself. */
function withRetries<T>(attempt: () => Promise<T>): Promise<T> {
  return pRetry(attempt, {
    retries: bodyRetries,
    minTimeout: 200,
    maxTimeout: 3_000,
    randomize: true,
    shouldRetry: ({ error }) => !(error instanceof AnalysisFailure) && isPassing(error),
  });
}

type FileBody = Extract<ObjectBody, { path: string }>;

/** Ends in an error when the bytes are not those of the sha256, so that an upload of them is never completed. */
async function* checkedBytes({ path, sha256 }: FileBody): AsyncIterable<Buffer> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    hash.update(chunk as Buffer);
    yield chunk as Buffer;
  }
  const found = hash.digest("hex");
  if (found !== sha256) {
    throw new StoreUnavailable(`${path} was expected to have the sha256 ${sha256}, but it has ${found}`);
  }
}

function inHalves(text: string, secondHalf: Promise<void>) {
  const bytes = Buffer.from(text);
  const half = bytes.length >> 1;
  async function* halves() {
    yield bytes.subarray(0, half);
    await secondHalf;
    yield bytes.subarray(half);
  }
  return {
    Body: Readable.from(halves(), { objectMode: false }),
    ContentLength: bytes.length,
    ChecksumAlgorithm: "SHA256",
    ChecksumSHA256: createHash("sha256").update(bytes).digest("base64"),
  } as const;
}

function conditionOf(condition: PutCondition | undefined): { IfNoneMatch?: string; IfMatch?: string } {
  if (condition === undefined) return {};
  return "ifAbsent" in condition ? { IfNoneMatch: "*" } : { IfMatch: condition.ifMatch };
}

/** Servers give these refusals different names: their status decides. 404 is "nothing there to match". */
async function held(put: Promise<unknown>, condition: PutCondition | undefined): Promise<boolean> {
  try {
    await put;
    return true;
  } catch (error) {
    const status = statusOf(error);
    if (condition !== undefined && (status === 412 || status === 409)) return false;
    if (condition !== undefined && "ifMatch" in condition && isAbsent(error)) return false;
    throw error;
  }
}

async function orAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return statusOf(error) === 404 && error instanceof Error && error.name !== "NoSuchBucket";
}
