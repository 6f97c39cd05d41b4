import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  GetBucketLifecycleConfigurationCommand,
  PutBucketLifecycleConfigurationCommand,
} from "@aws-sdk/client-s3";
import { beforeAll, expect, inject, test } from "vitest";
import { readSettings } from "../../src/infrastructure/config/settings.ts";
import { createResultIndex } from "../../src/infrastructure/repository/object-result-index.ts";
import { createObjectResultRepository } from "../../src/infrastructure/repository/object-result-repository.ts";
import { createResultLayout, stagingFolder, stagingOf } from "../../src/infrastructure/repository/result-layout.ts";
import { createStagingArea } from "../../src/infrastructure/repository/staging-area.ts";
import { proveStore } from "../../src/infrastructure/store/prove-store.ts";
import { createS3Client } from "../../src/infrastructure/store/s3-client.ts";
import { draftOf } from "../contract/result-repository.contract.ts";
import { openTestStore } from "../support/s3.ts";
import { s3ClientOf } from "../support/s3-servers.ts";

const access = inject("s3");
const layout = createResultLayout("{dataset}/{date}/result.parquet", ["sales"]);

async function read(name: string) {
  return JSON.parse(await readFile(new URL(`../../deploy/${name}`, import.meta.url), "utf8"));
}

test("a server takes the lifecycle as it is, and gives it back", async () => {
  const lifecycle = await read("s3-lifecycle.json");
  const client = s3ClientOf(access);
  const bucket = { Bucket: `lifecycle-${randomUUID()}` };
  await client.send(new CreateBucketCommand(bucket));
  try {
    await client.send(new PutBucketLifecycleConfigurationCommand({ ...bucket, LifecycleConfiguration: lifecycle }));
    const { Rules } = await client.send(new GetBucketLifecycleConfigurationCommand(bucket));
    const byId = (rules: readonly { readonly ID?: string | undefined }[]) =>
      rules.toSorted((a, b) => (a.ID ?? "").localeCompare(b.ID ?? ""));
    expect(byId(Rules ?? [])).toEqual(byId(lifecycle.Rules));
  } finally {
    await client.send(new DeleteBucketCommand(bucket));
    client.destroy();
  }
});

test("the lifecycle comes after the sweep, and expires nothing but what was staged", async () => {
  const { Rules } = await read("s3-lifecycle.json");
  const expiring = Rules.filter((rule: { Expiration?: { Days?: number } }) => rule.Expiration?.Days !== undefined);
  expect(expiring).toMatchObject([{ Filter: { Prefix: stagingFolder } }]);
  expect(expiring[0].Expiration.Days * 24).toBeGreaterThan(readSettings({}).sweepAfterHours);
});

type Request = {
  readonly operation: string;
  readonly key?: string | undefined;
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
};

/** Every kind of request that the service makes: a proof, publications short and large, a reader, a sweep. */
let requests: readonly Request[];

beforeAll(async () => {
  const made: Request[] = [];
  const { endpoint, accessKeyId, secretAccessKey, bucket } = access;
  const credentials = { accessKeyId, secretAccessKey };
  const client = createS3Client({ endpoint, region: "us-east-1", pathStyle: true, credentials });
  const prefix = `test-${randomUUID()}`;
  client.middlewareStack.add(
    (next, context) => (args) => {
      const input = args.input as Partial<Record<"Key" | "IfMatch" | "IfNoneMatch", string>>;
      made.push({
        operation: String(context["commandName"]).replace(/Command$/, ""),
        key: input.Key?.slice(prefix.length + 1),
        ifMatch: input.IfMatch,
        ifNoneMatch: input.IfNoneMatch,
      });
      return next(args);
    },
    { step: "initialize" },
  );
  using store = await openTestStore(access, { client, prefix, singlePutBytes: 15 });
  const folder = await mkdtemp(join(tmpdir(), "deploy-"));
  await proveStore(store, folder, 0);
  const repository = createObjectResultRepository(store, layout, createResultIndex(store, layout));
  const stage = async (runId: Parameters<typeof stagingOf>[0], content: string) => {
    const path = join(folder, randomUUID());
    await writeFile(path, content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const key = `${stagingOf(runId)}${randomUUID()}/result.parquet`;
    await store.put(key, { path, sizeBytes: content.length, sha256 }, { condition: { ifAbsent: true } });
    return key;
  };
  for (const [runId, hour] of [
    ["short", "06"],
    ["a-run-whose-result-is-large", "07"],
  ] as const) {
    const draft = await draftOf({ stage }, { runId, fence: `2026-02-06T${hour}:00:00.000Z` });
    const { manifest } = await repository.publish(draft, "changed");
    await using _copy = await repository.openResult(manifest);
    await repository.discardStaged(draft.runId);
  }
  // Left open by a client that is not the service.
  const other = s3ClientOf(access);
  const Key = `${prefix}/sales/2026-02-07/result.parquet`;
  await other.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
  other.destroy();
  const staging = createStagingArea(store, layout);
  for (const leftover of [...(await staging.staged()), ...(await staging.unfinished())]) await leftover.remove();
  requests = made;
  await rm(folder, { recursive: true });
});

const creating = ["PutObject", "CompleteMultipartUpload", "CopyObject"];

/** As AWS evaluates a policy, as far as this one goes; what each key stands for is in its documentation. */
async function isDenied({ operation, key, ifMatch, ifNoneMatch }: Request): Promise<boolean> {
  const [statement, ...others] = (await read("s3-bucket-policy.json")).Statement;
  expect(others).toEqual([]);
  expect(statement).toMatchObject({ Effect: "Deny", Action: "s3:PutObject" });
  if (actionOf(operation) !== statement.Action || isIn(statement.NotResource, key)) return false;
  const context: Readonly<Record<string, string | undefined>> = {
    "s3:if-match": ifMatch,
    "s3:if-none-match": ifNoneMatch,
    "s3:ObjectCreationOperation": String(creating.includes(operation)),
  };
  const { Null, Bool, ...unknown } = statement.Condition;
  expect(unknown).toEqual({});
  return (
    Object.entries(Null).every(([name, isAbsent]) => String(context[name] === undefined) === isAbsent) &&
    Object.entries(Bool).every(([name, value]) => context[name] === value)
  );
}

/** What a request takes for a permission, where it has another name. */
function actionOf(operation: string): string {
  const names: Readonly<Record<string, string>> = {
    CompleteMultipartUpload: "PutObject",
    CopyObject: "PutObject",
    CreateMultipartUpload: "PutObject",
    HeadObject: "GetObject",
    ListMultipartUploads: "ListBucketMultipartUploads",
    ListObjectsV2: "ListBucket",
    UploadPart: "PutObject",
  };
  return `s3:${names[operation] ?? operation}`;
}

function isIn(resource: string, key: string | undefined): boolean {
  const arn = `arn:aws:s3:::analysis${key === undefined ? "" : `/${key}`}`;
  return resource.endsWith("*") ? arn.startsWith(resource.slice(0, -1)) : arn === resource;
}

test("the bucket policy refuses nothing that the service does", async () => {
  expect(requests.map(({ operation }) => operation)).toEqual(expect.arrayContaining([...creating.slice(0, 2)]));
  const denied = [];
  for (const request of requests) if (await isDenied(request)) denied.push(request);
  expect(denied).toEqual([]);
});

test.each([
  ["a put without condition", { operation: "PutObject", key: "sales/2026-02-05/result.parquet" }, true],
  ["an upload completed without condition", { operation: "CompleteMultipartUpload", key: "s/d/result.parquet" }, true],
  ["a copy over it", { operation: "CopyObject", key: "sales/2026-02-05/manifest.json" }, true],
  ["a part of an upload", { operation: "UploadPart", key: "sales/2026-02-05/result.parquet" }, false],
  ["a creation", { operation: "PutObject", key: "s/d/result.parquet", ifNoneMatch: "*" }, false],
  ["a replacement of what was seen", { operation: "PutObject", key: "s/d/result.parquet", ifMatch: '"e"' }, false],
  ["anything staged", { operation: "PutObject", key: "_staging/run/token/result.parquet" }, false],
  ["a deletion", { operation: "DeleteObject", key: "sales/2026-02-05/result.parquet" }, false],
] as const)("the bucket policy knows %s", async (_, request, denied) => {
  expect(await isDenied(request)).toBe(denied);
});

test("the permissions are what the service needs, and each is needed", async () => {
  const { Statement } = await read("s3-permissions.json");
  const grants: { readonly action: string; readonly resource: string }[] = Statement.flatMap(
    ({ Action, Resource }: { Action: string | string[]; Resource: string }) =>
      [Action].flat().map((action) => ({ action, resource: Resource })),
  );
  const isGranted = ({ action, resource }: (typeof grants)[number], { operation, key }: Request) =>
    actionOf(operation) === action && isIn(resource, key);
  expect(requests.filter((request) => !grants.some((grant) => isGranted(grant, request)))).toEqual([]);
  expect(grants.filter((grant) => !requests.some((request) => isGranted(grant, request)))).toEqual([]);
});
