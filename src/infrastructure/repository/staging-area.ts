import type { RunId } from "../../domain/value-object/run-id.ts";
import type { StagingArea } from "../../usecase/ports/output/staging-area.ts";
import type { ObjectStore, ObjectSummary } from "../store/object-store.ts";
import { type ResultLayout, stagedFor, stagingFolder } from "./result-layout.ts";

/** The staging of any object store. */
export function createStagingArea(store: ObjectStore, layout: ResultLayout): StagingArea {
  return {
    async staged(signal) {
      const runs = new Map<RunId, ObjectSummary[]>();
      for await (const object of store.list(stagingFolder)) {
        signal?.throwIfAborted();
        const runId = stagedFor(object.key);
        if (runId === undefined) continue;
        const objects = runs.get(runId);
        if (objects === undefined) runs.set(runId, [object]);
        else objects.push(object);
      }
      return [...runs].map(([runId, objects]) => ({
        runId,
        modifiedAt: new Date(objects.reduce((newest, { modifiedAt }) => Math.max(newest, modifiedAt.getTime()), 0)),
        sizeBytes: objects.reduce((sum, object) => sum + object.sizeBytes, 0),
        async remove(stop) {
          for (const { key } of objects) {
            stop?.throwIfAborted();
            await store.delete(key);
          }
        },
      }));
    },

    async unfinished(signal) {
      const writes = [];
      for await (const { key, startedAt, discard } of store.unfinished()) {
        signal?.throwIfAborted();
        const runId = key === undefined ? undefined : stagedFor(key);
        const isForeign = key !== undefined && runId === undefined && !layout.isResult(key);
        if (isForeign) continue;
        writes.push({
          ...(runId === undefined ? {} : { runId }),
          modifiedAt: startedAt,
          sizeBytes: null,
          remove: discard,
        });
      }
      return writes;
    },

    now: () => store.now(),
  };
}
