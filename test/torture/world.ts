import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { ObjectStore } from "../../src/infrastructure/store/object-store.ts";
import type { Intent } from "../simulation/history.ts";
import type { Limits } from "../support/limits.ts";
import { s3Environment } from "../support/s3.ts";
import type { S3Server } from "../support/s3-servers.ts";
import { createService, type Service } from "../support/service.ts";
import { inputOf } from "./content.ts";
import { emptyLedger, type Ledger, noteFaults } from "./ledger.ts";
import { type Readers, startReaders } from "./readers.ts";
import { countStaged, dataset, dates, openStore, readPartition, type StoreAccess } from "./store-access.ts";
import { judge, type Phase, phaseOf } from "./verdict.ts";

/** One store with readers on it, and all that has happened there. */
export type World = AsyncDisposable & {
  readonly service: Service;
  readonly store: ObjectStore;
  readonly limits: Limits;
  readonly ledger: Ledger;
  readonly readers: Readers;
  /** Replaces the input of the date by one with other content. */
  readonly newInput: (date: string) => Promise<void>;
  /** A run of the date that is newer than all before it. */
  readonly intend: (date: string) => Intent;
  readonly noteIntent: (date: string, intent: Intent) => void;
  readonly seePhase: (date: string, runId: string) => Promise<Phase>;
  /** When all runs of the date have had their answers. */
  readonly check: (date: string) => Promise<void>;
};

const limitMs = 60_000;

export async function openWorld(server: S3Server | undefined, limits: Limits): Promise<World> {
  const parts = new AsyncDisposableStack();
  try {
    const service = parts.use(await createService(server && s3Environment(server)));
    // Proofs of a store that is gone in a moment stay out of the user's cache.
    service.env["XDG_CACHE_HOME"] = join(service.folder, "cache");
    await service.define(dataset);
    const access = accessTo(service, server);
    const store = parts.use(await openStore(access));
    const ledger = emptyLedger();
    const readers = parts.use(await startReaders(access, limits, service.env, (fault) => noteFaults(ledger, [fault])));
    let generation = 0;
    let lastFence = 0;
    const noteIntent = (date: string, intent: Intent) => {
      ledger.intents.set(date, [...(ledger.intents.get(date) ?? []), intent]);
    };
    return {
      service,
      store,
      limits,
      ledger,
      readers,
      noteIntent,
      async newInput(date) {
        generation += 1;
        await service.write(`${date}.csv`, inputOf(dates.indexOf(date), generation));
      },
      intend(date) {
        lastFence = Math.max(lastFence + 1, Date.now());
        const intent = { runId: randomUUID(), fence: new Date(lastFence).toISOString() };
        noteIntent(date, intent);
        return intent;
      },
      seePhase: (date, runId) =>
        limits.within(
          limitMs,
          `a look at ${date}`,
          Promise.all([readPartition(store, date), countStaged(store, runId)]).then(([partition, staged]) =>
            phaseOf(partition, runId, staged),
          ),
        ),
      async check(date) {
        const partition = await limits.within(limitMs, `a look at ${date}`, readPartition(store, date));
        noteFaults(ledger, judge(partition, ledger.intents.get(date) ?? [], ledger.answers.get(date) ?? []));
      },
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

function accessTo(service: Service, server: S3Server | undefined): StoreAccess {
  const scratchFolder = service.env["TMPDIR"] ?? service.folder;
  if (server === undefined) return { kind: "disk", folder: service.store, scratchFolder };
  const { endpoint, accessKeyId, secretAccessKey, bucket } = server;
  const prefix = new URL(service.env["STORE_URL"] ?? "").pathname.slice(1);
  return { kind: "s3", server: { endpoint, accessKeyId, secretAccessKey, bucket }, prefix, scratchFolder };
}
