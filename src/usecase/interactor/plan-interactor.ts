import { InputMissing } from "../../domain/model/failure.ts";
import { type Change, changeOf } from "../../domain/service/change-service.ts";
import { parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { countDates, datesFrom, parseDateRange } from "../../domain/value-object/date-range.ts";
import type { InspectedInput } from "../../domain/value-object/fingerprint.ts";
import { parseRunId } from "../../domain/value-object/run-id.ts";
import type { TargetDate } from "../../domain/value-object/target-date.ts";
import type { PlannedDate, PlanReason } from "../dto/plan.ts";
import { isLarge, sizeOf } from "../large-input.ts";
import { loadRequestOf } from "../load-request.ts";
import { mapBounded } from "../map-bounded.ts";
import type { PlanUseCase } from "../ports/input/plan-usecase.ts";
import type { CatalogEntry, DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { DatasetLoader } from "../ports/output/dataset-loader.ts";
import type { ResultRepository } from "../ports/output/result-repository.ts";

export type PlanPorts = {
  readonly catalog: DatasetCatalog;
  readonly loader: Pick<DatasetLoader, "inspect">;
  readonly repository: Pick<ResultRepository, "findPublished">;
  readonly sha256: (text: string) => string;
};

/** Dates that are looked at at a time: a source is asked politely. */
const looks = 16;
/** A look stages nothing, so no run is behind it. */
const lookId = parseRunId("plan");

export function createPlanInteractor({ catalog, loader, repository, sha256 }: PlanPorts): PlanUseCase {
  return {
    async plan(dataset, from, to, { signal, onDate } = {}) {
      const entry = catalog.get(parseDatasetId(dataset));
      const range = parseDateRange(from, to);
      const total = countDates(range);
      let done = 0;
      const looked = await mapBounded(datesFrom(range.from, total), looks, signal, async (date, either) => {
        const seen = await look(entry, date, either);
        done += 1;
        onDate?.(done, total);
        return seen;
      });
      const dates = looked.map(({ planned }) => planned);
      const world = looked.map(({ planned, fingerprint, manifestKey }) => [
        planned.date,
        planned.reason,
        fingerprint,
        manifestKey,
      ]);
      const toRun = dates.filter(({ runs }) => runs);
      return {
        dataset: entry.id,
        ...range,
        hash: sha256(JSON.stringify([entry.id, range.from, range.to, entry.digest, world])),
        counts: countReasons(dates),
        runs: toRun.length,
        bytesToRead: sumOf(toRun.map(({ sizeBytes }) => sizeBytes)),
        dates,
      };
    },
  };

  async function look(entry: CatalogEntry, date: TargetDate, signal: AbortSignal) {
    const published = await repository.findPublished(entry.id, date);
    const inputs = await inspect(entry, date, published?.inputs ?? [], signal);
    const reason = inputs === undefined ? "no-input" : changeOf(published, entry.digest, inputs);
    const runs = reason !== "no-input" && reason !== "unchanged";
    const planned: PlannedDate = {
      date,
      runs,
      reason,
      sizeBytes: inputs === undefined ? null : sizeOf(inputs),
      place: runs ? (isLarge(entry.definition, inputs ?? []) ? "own-run" : "batch") : null,
    };
    return { planned, fingerprint: inputs?.map(fingerprintOf) ?? null, manifestKey: published?.key ?? null };
  }

  async function inspect(
    entry: CatalogEntry,
    date: TargetDate,
    previous: Parameters<DatasetLoader["inspect"]>[1],
    signal: AbortSignal,
  ): Promise<readonly InspectedInput[] | undefined> {
    try {
      return await loader.inspect(loadRequestOf(entry, date, lookId), previous, signal);
    } catch (error) {
      if (error instanceof InputMissing) return undefined;
      throw error;
    }
  }
}

/** The strongest that the source tells. */
function fingerprintOf({ uri, sha256, etag, sizeBytes, modifiedAt }: InspectedInput) {
  return [uri, sha256 ?? etag ?? [sizeBytes ?? null, modifiedAt ?? null]];
}

function sumOf(sizes: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const size of sizes) {
    if (size === null) return null;
    sum += size;
  }
  return sum;
}

const nothingYet: Record<Change | "no-input", number> = {
  missing: 0,
  "input-changed": 0,
  "input-unknown": 0,
  "definition-changed": 0,
  unchanged: 0,
  "no-input": 0,
};

function countReasons(dates: readonly PlannedDate[]): Record<PlanReason, number> {
  const counts = { ...nothingYet };
  for (const { reason } of dates) counts[reason] += 1;
  return counts;
}
