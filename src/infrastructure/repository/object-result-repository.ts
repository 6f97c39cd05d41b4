import { InputMissing } from "../../domain/model/failure.ts";
import type { ResultRepository } from "../../usecase/ports/output/result-repository.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { findInHistory, publish, readPublished } from "./publication.ts";
import { type ResultLayout, stagingOf } from "./result-layout.ts";

/** Results and their history in any object store. */
export function createObjectResultRepository(store: ObjectStore, layout: ResultLayout): ResultRepository {
  return {
    findPublished: (dataset, date) => readPublished(store, layout, dataset, date),
    findCommitted: (dataset, date, runId) => findInHistory(store, layout, dataset, date, runId),
    publish: (draft, mode) => publish(store, layout, draft, mode),

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
