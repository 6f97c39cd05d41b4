import { randomUUID } from "node:crypto";
import type { RunId } from "../../domain/value-object/run-id.ts";
import type { ObjectBody, ObjectStore } from "../store/object-store.ts";
import { stagingOf } from "./result-layout.ts";

/**
 * Keeps the file for the run under a key that no other attempt has. One that is there already is this very upload, whose
 * answer was lost.
 */
export async function stageFile(
  store: ObjectStore,
  runId: RunId,
  name: string,
  file: Extract<ObjectBody, { path: string }>,
): Promise<string> {
  const key = `${stagingOf(runId)}${randomUUID()}/${name}`;
  await store.put(key, file, { condition: { ifAbsent: true }, durable: false });
  return key;
}
