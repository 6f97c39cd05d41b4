import { createHash, randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunId } from "../../src/domain/value-object/run-id.ts";
import { stageFile } from "../../src/infrastructure/repository/stage-file.ts";
import type { ObjectStore } from "../../src/infrastructure/store/object-store.ts";

/** Stages a text as if it were a result, and returns its key. */
export async function stageContent(store: ObjectStore, folder: string, runId: RunId, content: string): Promise<string> {
  const path = join(folder, `staged-${randomUUID()}`);
  await writeFile(path, content);
  const sha256 = createHash("sha256").update(content).digest("hex");
  return stageFile(store, runId, "result.parquet", { path, sizeBytes: content.length, sha256 });
}
