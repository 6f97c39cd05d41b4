import { setTimeout as sleep } from "node:timers/promises";
import { InputMissing, StoreUnsafe } from "../../domain/model/failure.ts";
import type { ResultRepository } from "../../usecase/ports/output/result-repository.ts";
import type { ObjectStore } from "../store/object-store.ts";
import type { ResultIndexKeeper } from "./object-result-index.ts";
import { completePublication, findInHistory, type Place, publish, readPublished, walkHistory } from "./publication.ts";
import { type ResultLayout, stagingOf } from "./result-layout.ts";

/**
 * Results and their history in any object store.
 * @param index follows what is published here
 * @param mostBytes the largest result that is safe there
 */
export function createObjectResultRepository(
  store: ObjectStore,
  layout: ResultLayout,
  index: ResultIndexKeeper,
  mostBytes = Number.POSITIVE_INFINITY,
): ResultRepository {
  const place: Place = {
    store,
    layout,
    pause: (attempt) => sleep(Math.random() * 20 * attempt),
    now: () => new Date(),
  };
  return {
    findPublished: (dataset, date, foreign) => readPublished(place, dataset, date, foreign),
    async complete(published) {
      await completePublication(place, published);
      await index.enter(published);
    },
    findCommitted: (dataset, date, runId) => findInHistory(place, dataset, date, runId),
    history: (dataset, date) => walkHistory(place, dataset, date),
    async publish(draft, mode, foreign = "refused") {
      const { sizeBytes } = draft.result;
      if (sizeBytes > mostBytes) {
        throw new StoreUnsafe(
          `the result of ${draft.dataset} ${draft.date} has ${sizeBytes} bytes, and ${store.url} is safe for at most ${mostBytes}`,
        );
      }
      const publication = await publish(place, draft, mode, foreign);
      await index.enter(publication.manifest);
      return publication;
    },

    async openResult(manifest) {
      const { key, sha256 } = manifest.result;
      // Held before it is looked at: what was replaced never comes back.
      const copy = await store.local(key);
      if (copy !== undefined && (await store.head(key))?.metadata["sha256"] === sha256) return copy;
      await copy?.[Symbol.asyncDispose]();
      throw new InputMissing(
        `the result of ${manifest.dataset} ${manifest.date} was replaced while it was opened: try again`,
      );
    },

    async discardStaged(runId) {
      for await (const { key } of store.list(stagingOf(runId))) await store.delete(key);
    },
  };
}
