import { createHash, randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inject } from "vitest";
import { stagingOf } from "../../../src/infrastructure/repository/result-layout.ts";
import { openFileObjectStore } from "../../../src/infrastructure/store/file-object-store.ts";
import type { ObjectStore } from "../../../src/infrastructure/store/object-store.ts";
import { type IndexWorld, resultIndexContract } from "../../contract/result-index.contract.ts";
import { createMemoryObjectStore } from "../../fakes/memory-object-store.ts";
import { openTestStore } from "../../support/s3.ts";
import { tempFolder } from "../../support/temp-folder.ts";

async function worldOf(store: ObjectStore): Promise<IndexWorld> {
  const folder = await tempFolder();
  return {
    store,
    async stage(runId, content) {
      const path = join(folder, `staged-${randomUUID()}`);
      await writeFile(path, content);
      const sha256 = createHash("sha256").update(content).digest("hex");
      const key = `${stagingOf(runId)}${randomUUID()}/result.parquet`;
      await store.put(key, { path, sizeBytes: content.length, sha256 });
      return key;
    },
  };
}

resultIndexContract("in memory", async () => worldOf(createMemoryObjectStore()));
resultIndexContract("in a folder", async () => worldOf(await openFileObjectStore(await tempFolder())));
resultIndexContract("on S3", async () => worldOf(await openTestStore(inject("s3"))));
