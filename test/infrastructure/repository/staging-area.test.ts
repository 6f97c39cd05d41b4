import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand, UploadPartCommand } from "@aws-sdk/client-s3";
import { expect, inject, it } from "vitest";
import { createResultLayout } from "../../../src/infrastructure/repository/result-layout.ts";
import { createStagingArea } from "../../../src/infrastructure/repository/staging-area.ts";
import { openFileObjectStore } from "../../../src/infrastructure/store/file-object-store.ts";
import type { UnfinishedWrite } from "../../../src/infrastructure/store/object-store.ts";
import { stagingAreaContract } from "../../contract/staging-area.contract.ts";
import { createMemoryObjectStore } from "../../fakes/memory-object-store.ts";
import { openTestStore } from "../../support/s3.ts";
import { s3ClientOf } from "../../support/s3-servers.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const access = inject("s3");
const bucket = access.bucket;

stagingAreaContract("in memory", async () => {
  const writes = new Map<string, UnfinishedWrite>();
  const store = {
    ...createMemoryObjectStore(),
    async *unfinished() {
      yield* [...writes.values()];
    },
  };
  return {
    store,
    knowsKeys: true,
    async abandonWrite(key) {
      writes.set(key, { name: key, key, startedAt: new Date(), discard: async () => void writes.delete(key) });
    },
  };
});

stagingAreaContract("a folder", async () => {
  const folder = await tempFolder();
  let written = 0;
  return {
    store: await openFileObjectStore(folder),
    knowsKeys: false,
    abandonWrite: () => writeFile(join(folder, ".store", "pending", `half-${written++}`), "half"),
  };
});

stagingAreaContract("S3", async () => {
  const store = await openTestStore(access);
  const prefix = store.url.slice(`s3://${bucket}/`.length);
  return { store, knowsKeys: true, abandonWrite: (key) => abandonUpload(`${prefix}/${key}`) };
});

it("takes all that a run has staged for as old as the newest of it", async () => {
  let now = new Date("2026-02-01T00:00:00.000Z");
  const store = createMemoryObjectStore(() => now);
  const put = (name: string) => store.put(`_staging/run-1/token/${name}`, { text: name });
  await put("b");
  now = new Date("2026-02-07T00:00:00.000Z");
  await put("c");
  now = new Date("2026-02-03T00:00:00.000Z");
  await put("a");
  const staged = await createStagingArea(store, createResultLayout("{date}/result.parquet", [])).staged();
  expect(staged).toMatchObject([{ runId: "run-1", modifiedAt: new Date("2026-02-07T00:00:00.000Z"), sizeBytes: 3 }]);
});

/** Two parts are there, and nobody will complete them. */
async function abandonUpload(key: string): Promise<void> {
  const client = s3ClientOf(access);
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key }));
  for (const PartNumber of [1, 2]) {
    await client.send(new UploadPartCommand({ Bucket: bucket, Key: key, UploadId, PartNumber, Body: "part" }));
  }
  client.destroy();
}

it("an upload that was left open is gone from the server when it is removed", async () => {
  const store = await openTestStore(access);
  const key = `${store.url.slice(`s3://${bucket}/`.length)}/_staging/run-1/a/result.parquet`;
  await abandonUpload(key);
  const client = s3ClientOf(access);
  const open = async () => {
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key }));
    return Uploads ?? [];
  };
  expect(await open()).toHaveLength(1);
  const area = createStagingArea(store, createResultLayout("{dataset}/{date}/result.parquet", []));
  for (const write of await area.unfinished()) await write.remove();
  expect(await open()).toEqual([]);
  client.destroy();
});
