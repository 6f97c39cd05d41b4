import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateMultipartUploadCommand, GetObjectTaggingCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { describe, expect, inject, it, vi } from "vitest";
import { StoreUnavailable } from "../../../src/domain/model/failure.ts";
import { createS3Client } from "../../../src/infrastructure/store/s3-client.ts";
import { openS3ObjectStore } from "../../../src/infrastructure/store/s3-object-store.ts";
import { objectStoreContract } from "../../contract/object-store.contract.ts";
import { type FaultPlan, s3Error, startFaultProxy } from "../../support/fault-proxy.ts";
import { openTestStore } from "../../support/s3.ts";
import { s3ClientOf } from "../../support/s3-servers.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const access = inject("s3");

objectStoreContract("S3", () => openTestStore(access), { writers: 4, rounds: 3 });

async function bigFile(sizeBytes: number) {
  const path = join(await tempFolder(), "big");
  const bytes = Buffer.alloc(sizeBytes, "0123456789abcdef!");
  await writeFile(path, bytes);
  return { path, sizeBytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

async function namesOf(uploads: AsyncIterable<{ readonly name: string }>): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of uploads) names.push(name);
  return names;
}

describe("large objects on S3", () => {
  it.each([
    ["in one request, streamed", 12 * 2 ** 20, 5 * 2 ** 30],
    ["in parts, above the limit", 12 * 2 ** 20, 11 * 2 ** 20],
    ["in several parts", 70 * 2 ** 20, 11 * 2 ** 20],
  ])("go %s, and come back the same", async (_, sizeBytes, singlePutBytes) => {
    using store = await openTestStore(access, { singlePutBytes });
    const file = await bigFile(sizeBytes);
    const metadata = { "run-id": "r1" };
    expect(await store.put("k", file, { condition: { ifAbsent: true }, metadata })).toBe(true);
    expect(await store.put("k", file, { condition: { ifAbsent: true }, metadata })).toBe(false);
    const seen = await store.head("k");
    expect(seen).toMatchObject({ sizeBytes, metadata });
    const copy = { from: "k", sizeBytes, sha256: file.sha256 };
    expect(await store.put("k2", copy, { condition: { ifAbsent: true } })).toBe(true);
    expect(await store.put("k", copy, { condition: { ifMatch: seen?.etag ?? "" }, metadata })).toBe(true);
    await using local = await store.local("k2");
    expect((await readFile(local?.path ?? "")).equals(await readFile(file.path))).toBe(true);
    expect(await namesOf(store.unfinished())).toEqual([]);
  });

  it("are not completed when their bytes are not those of the sha256, and leave no parts", async () => {
    using store = await openTestStore(access, { singlePutBytes: 2 ** 20 });
    const file = { ...(await bigFile(9 * 2 ** 20)), sha256: "0".repeat(64) };
    await expect(store.put("k", file)).rejects.toThrow(/expected to have the sha256 0000/);
    expect(await store.head("k")).toBeUndefined();
    expect(await namesOf(store.unfinished())).toEqual([]);
  });

  it("leave an unfinished upload that can be found and discarded", async () => {
    const prefix = `unfinished-${process.pid}`;
    using store = await openTestStore(access, { prefix });
    const client = s3ClientOf(access);
    for (const key of ["a", "b"]) {
      await client.send(new CreateMultipartUploadCommand({ Bucket: access.bucket, Key: `${prefix}/_staging/${key}` }));
    }
    for await (const upload of store.unfinished()) {
      expect(Math.abs(upload.startedAt.getTime() - Date.now())).toBeLessThan(60_000);
      await upload.discard();
    }
    const left = await client.send(new ListMultipartUploadsCommand({ Bucket: access.bucket, Prefix: prefix }));
    expect(left.Uploads ?? []).toEqual([]);
  });
});

describe("what every upload carries", () => {
  it("a checksum, the tags and the encryption that were set", async () => {
    const seen: { path: string; headers: NodeJS.Dict<string | string[]> }[] = [];
    await using proxy = await startFaultProxy({
      target: new URL(access.endpoint),
      plan: ({ method, path, headers }) => {
        if (method === "PUT") seen.push({ path, headers });
        // The server of these tests has no keys.
        return seen.length > 2 ? s3Error(400, "NotImplemented") : undefined;
      },
    });
    const prefix = `tagged-${process.pid}`;
    const tags = "team=data&env=prod";
    using store = await openTestStore({ ...access, endpoint: proxy.endpoint }, { prefix, tags });
    await store.put("text", { text: "x" });
    const file = await bigFile(100);
    await store.put("file", file);
    using encrypting = await openTestStore(
      { ...access, endpoint: proxy.endpoint },
      { prefix, encryption: { algorithm: "aws:kms", keyId: "alias/k" } },
    );
    await expect(encrypting.put("file", file)).rejects.toThrow("it answered 400 NotImplemented");

    const [text, plain, encrypted] = seen.map(({ headers }) => headers);
    expect(text).toMatchObject({ "x-amz-tagging": tags, "x-amz-checksum-crc32": expect.any(String) });
    const checksum = Buffer.from(file.sha256, "hex").toString("base64");
    expect(plain).toMatchObject({ "x-amz-tagging": tags, "x-amz-checksum-sha256": checksum });
    expect(encrypted).toMatchObject({
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": "alias/k",
    });
    const tagging = new GetObjectTaggingCommand({ Bucket: access.bucket, Key: `${prefix}/file` });
    const { TagSet = [] } = await s3ClientOf(access).send(tagging);
    expect(TagSet.map(({ Key, Value }) => `${Key}=${Value}`).toSorted()).toEqual(["env=prod", "team=data"]);
  });
});

describe("a store on S3 that cannot be used", () => {
  const faultOf = async (opening: Promise<unknown>) => {
    const error: unknown = await opening.then(
      () => "none",
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StoreUnavailable);
    const { message } = error as Error;
    expect(message).not.toContain(access.secretAccessKey);
    expect(message).not.toContain(access.accessKeyId);
    return message;
  };

  it.each([
    ["a wrong secret", { secretAccessKey: "wrong" }, "the secret key does not belong to the access key"],
    ["an unknown access key", { accessKeyId: "unknown" }, "the access key is not known there"],
    ["no such bucket", { bucket: "no-such-bucket" }, "the bucket does not exist"],
    ["nobody there", { endpoint: "http://127.0.0.1:9" }, "it cannot be reached (ECONNREFUSED)"],
  ])("%s is told when it is opened", async (_, change, reason) => {
    const message = await faultOf(openTestStore({ ...access, ...change }));
    expect(message).toMatch(/^the store s3:\/\/[\w-]+\/test-[\w-]+ must be a bucket that can be read and written: /);
    expect(message.endsWith(reason)).toBe(true);
  });

  it.each([
    [s3Error(403, "AccessDenied"), "access is denied"],
    [s3Error(403, "ExpiredToken"), "the credentials have expired"],
    [s3Error(301, "PermanentRedirect"), "the bucket is in another region: set AWS_REGION"],
    [s3Error(503, "SlowDown"), "it answered 503 SlowDown"],
    [s3Error(404, "NoSuchBucket"), "the bucket does not exist"],
  ])("an answer of %j to a write is told", async (fault, reason) => {
    const plan: FaultPlan = ({ method }) => (method === "PUT" ? fault : undefined);
    await using proxy = await startFaultProxy({ target: new URL(access.endpoint), plan });
    using store = await openTestStore({ ...access, endpoint: proxy.endpoint });
    for (const condition of [{ ifAbsent: true } as const, { ifMatch: '"x"' }]) {
      expect(await faultOf(store.put("k", { text: "x" }, { condition }))).toContain(reason);
    }
  });

  it("no credentials are told, and no region", async () => {
    const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _key, ...env } = process.env;
    const nowhere = {
      ...env,
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_CONFIG_FILE: "/none",
      AWS_SHARED_CREDENTIALS_FILE: "/none",
    };
    const before = process.env;
    process.env = nowhere;
    try {
      const open = (region: string | undefined) =>
        openS3ObjectStore({
          client: createS3Client({ endpoint: access.endpoint, region, pathStyle: true }),
          bucket: access.bucket,
          prefix: "",
          scratchFolder: "/tmp",
          singlePutBytes: 2 ** 30,
        });
      expect(await faultOf(open("us-east-1"))).toContain("no credentials were found: set AWS_ACCESS_KEY_ID");
      expect(await faultOf(open(undefined))).toContain("no region is set: set AWS_REGION");
    } finally {
      process.env = before;
    }
  });

  it("a wrong clock of this machine is put right by the server's", async () => {
    const really = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: really + 25 * 60 * 60_000 });
    try {
      using store = await openTestStore(access);
      expect(await store.put("k", { text: "x" }, { condition: { ifAbsent: true } })).toBe(true);
      expect(Math.abs((await store.now()).getTime() - really)).toBeLessThan(60_000);
    } finally {
      vi.useRealTimers();
    }
  });

  it("holds on through answers that get lost and servers that stumble", async () => {
    let puts = 0;
    const plan: FaultPlan = ({ method, index }) => {
      if (method === "PUT") puts += 1;
      if (method === "PUT" && puts === 1) return { kind: "drop-response" };
      if (index % 5 === 3) return s3Error(503, "SlowDown");
      return index % 7 === 4 ? { kind: "cut-response", afterBytes: 3 } : undefined;
    };
    await using proxy = await startFaultProxy({ target: new URL(access.endpoint), plan });
    using store = await openTestStore({ ...access, endpoint: proxy.endpoint });
    const file = await bigFile(9 * 2 ** 20);
    // The first answer is lost, so the second attempt is refused by its own first: who asks has to read back.
    expect(await store.put("k", file, { condition: { ifAbsent: true } })).toBe(false);
    expect(await store.head("k")).toMatchObject({ sizeBytes: file.sizeBytes });
    for (let round = 0; round < 5; round += 1) {
      await using local = await store.local("k");
      expect((await readFile(local?.path ?? "")).length).toBe(file.sizeBytes);
    }
    expect(proxy.faults()["cut-response"]).toBeGreaterThan(0);
    expect(proxy.faults().answer).toBeGreaterThan(0);
  });
});
