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
      const seen = await store.head(key);
      const copy = seen?.metadata["sha256"] === sha256 ? await store.local(key) : undefined;
      if (copy === undefined) {
        throw new InputMissing(
          `the result of ${manifest.dataset} ${manifest.date} was replaced while it was opened: try again`,
        );
      }
      return copy;
    },

    async discardStaged(runId) {
      for await (const { key } of store.list(stagingOf(runId))) await store.delete(key);
    },
  };
}
