import { inject } from "vitest";
import { openFileObjectStore } from "../../../src/infrastructure/store/file-object-store.ts";
import type { ObjectStore } from "../../../src/infrastructure/store/object-store.ts";
import { type IndexWorld, resultIndexContract } from "../../contract/result-index.contract.ts";
import { createMemoryObjectStore } from "../../fakes/memory-object-store.ts";
import { openTestStore } from "../../support/s3.ts";
import { stageContent } from "../../support/stage-content.ts";
import { tempFolder } from "../../support/temp-folder.ts";

async function worldOf(store: ObjectStore): Promise<IndexWorld> {
  const folder = await tempFolder();
  return {
    store,
    stage: (runId, content) => stageContent(store, folder, runId, content),
  };
}

resultIndexContract("in memory", async () => worldOf(createMemoryObjectStore()));
resultIndexContract("in a folder", async () => worldOf(await openFileObjectStore(await tempFolder())));
resultIndexContract("on S3", async () => worldOf(await openTestStore(inject("s3"))));
