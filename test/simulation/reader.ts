import { createHash } from "node:crypto";
import { StoreUnavailable } from "../../src/domain/model/failure.ts";
import type { RunId } from "../../src/domain/value-object/run-id.ts";
import type { TargetDate } from "../../src/domain/value-object/target-date.ts";
import { findInHistory, readPublished } from "../../src/infrastructure/repository/publication.ts";
import type { ResultLayout } from "../../src/infrastructure/repository/result-layout.ts";
import type { ObjectStore } from "../../src/infrastructure/store/object-store.ts";
import type { HistoryEvent } from "./history.ts";
import type { Random } from "./random.ts";

export type ReaderWorld = {
  /** Without faults and steps of its own. */
  readonly store: ObjectStore;
  readonly faulty: ObjectStore;
  readonly layout: ResultLayout;
  readonly dataset: string;
  readonly date: TargetDate;
  /** Runs to look for in the history. */
  readonly runIds: readonly RunId[];
  readonly random: Random;
  readonly step: (delayMs?: number) => Promise<void>;
  readonly note: (event: HistoryEvent) => void;
};

/** Looks again and again, in every way in which a result can be found, and tells what it saw. */
export async function read(world: ReaderWorld, reader: string, looks: number): Promise<void> {
  const { random, step, note } = world;
  for (let look = 0; look < looks; look += 1) {
    await step(random.below(60));
    try {
      await random.pick([lookAtResult, lookAtPublished, lookAtPointer, lookIntoHistory])(world, reader);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) note({ type: "failed", runId: reader, error: String(error) });
    }
  }
}

async function lookAtResult({ store, faulty, layout, dataset, date, step, note }: ReaderWorld, reader: string) {
  const key = layout.result(dataset, date);
  // One step for both: a GET answers with bytes and metadata of one moment.
  await step();
  const [info, text] = [await store.head(key), await store.text(key)];
  if (info === undefined || text === undefined) return note({ type: "saw-result", reader });
  const manifest = await faulty.text(info.metadata["manifest"] ?? "");
  note({ type: "saw-result", reader, found: { sha256: sha256Of(text), metadata: info.metadata, manifest } });
}

async function lookAtPublished({ faulty, layout, dataset, date, note }: ReaderWorld, reader: string) {
  const found = await readPublished({ store: faulty, layout }, dataset, date);
  note({ type: "saw-published", reader, ...(found && { found }) });
}

async function lookAtPointer({ faulty, layout, dataset, date, note }: ReaderWorld, reader: string) {
  const found = await faulty.text(layout.manifest(dataset, date));
  note({ type: "saw-pointer", reader, ...(found !== undefined && { found }) });
}

async function lookIntoHistory({ faulty, layout, dataset, date, runIds, random, note }: ReaderWorld, reader: string) {
  const runId = random.pick(runIds);
  note({ type: "searching", reader, runId });
  const found = await findInHistory({ store: faulty, layout }, dataset, date, runId);
  note({ type: "searched", reader, runId, ...(found && { found: found.key }) });
}

export function sha256Of(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
