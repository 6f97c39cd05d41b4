import { AnalysisFailure, InputMissing, SourceUnavailable } from "../../domain/model/failure.ts";
import { type Change, changeOf } from "../../domain/service/change-service.ts";
import { type DatasetId, parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { countDates, type DateRange, datesFrom, parseDateRange } from "../../domain/value-object/date-range.ts";
import type { InspectedInput } from "../../domain/value-object/fingerprint.ts";
import { parseRunId } from "../../domain/value-object/run-id.ts";
import type { TargetDate } from "../../domain/value-object/target-date.ts";
import type { Plan, PlannedDate, PlannedPlace, PlanReason } from "../dto/plan.ts";
import { failedSince } from "../failed-since.ts";
import { isLarge, sizeOf } from "../large-input.ts";
import { loadRequestOf } from "../load-request.ts";
import { mapBounded } from "../map-bounded.ts";
import type { PlanUseCase } from "../ports/input/plan-usecase.ts";
import type { CatalogEntry, DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { DatasetLoader } from "../ports/output/dataset-loader.ts";
import type { ResultRepository } from "../ports/output/result-repository.ts";
import type { RunOrchestrator, RunSighting } from "../ports/output/run-orchestrator.ts";

export type PlanPorts = {
  readonly catalog: DatasetCatalog;
  readonly loader: Pick<DatasetLoader, "inspect">;
  readonly repository: Pick<ResultRepository, "findPublished">;
  readonly orchestrator: Pick<RunOrchestrator, "statesOf" | "describe">;
  readonly sha256: (text: string) => string;
};

/** Dates that are looked at at a time: a source is asked politely. */
const looks = 16;
/** Failed dates of which the code is asked for, the first ones: each takes calls of its own. */
const explained = 20;
/** A look stages nothing, so no run is behind it. */
const lookId = parseRunId("plan");

/** What the store and the source say of a date. */
type Look = {
  readonly date: TargetDate;
  readonly reason: Change | "no-input" | "unreachable";
  readonly failure: PlannedDate["failure"];
  readonly sizeBytes: number | null;
  readonly place: PlannedPlace;
  readonly publishedAt: string | undefined;
  readonly manifestKey: string | null;
  readonly fingerprint: unknown;
};

/** What Temporal says of the range. */
type Seen = { readonly temporal: Plan["temporal"]; readonly runs: ReadonlyMap<TargetDate, RunSighting> };

export function createPlanInteractor(ports: PlanPorts): PlanUseCase {
  const { catalog, loader, repository, orchestrator, sha256 } = ports;
  return {
    async plan(dataset, from, to, { signal, withoutTemporal = false, onDate } = {}) {
      const entry = catalog.get(parseDatasetId(dataset));
      const range = parseDateRange(from, to);
      const total = countDates(range);
      let done = 0;
      const [looked, seen] = await Promise.all([
        mapBounded(datesFrom(range.from, total), looks, signal, async (date, either) => {
          const found = await look(entry, date, either);
          done += 1;
          onDate?.(done, total);
          return found;
        }),
        withoutTemporal ? unseen(null) : see(entry.id, range),
      ]);
      refuseUnreachable(looked);
      const world = looked.map(({ date, reason, fingerprint, manifestKey }) => [
        date,
        reason,
        fingerprint,
        manifestKey,
      ]);
      const dates = await explain(
        entry.id,
        looked.map((each) => planned(each, seen)),
        signal,
      );
      const toRun = dates.filter(({ runs }) => runs);
      return {
        dataset: entry.id,
        ...range,
        hash: sha256(JSON.stringify([entry.id, range.from, range.to, entry.digest, world])),
        temporal: seen.temporal,
        counts: countReasons(dates),
        runs: toRun.length,
        bytesToRead: sumOf(toRun.map(({ sizeBytes }) => sizeBytes)),
        dates,
      };
    },
  };

  async function look(entry: CatalogEntry, date: TargetDate, signal: AbortSignal): Promise<Look> {
    const published = await repository.findPublished(entry.id, date);
    const found = { date, publishedAt: published?.publishedAt, manifestKey: published?.key ?? null };
    const nothing = { ...found, failure: null, sizeBytes: null };
    try {
      const inputs = await loader.inspect(loadRequestOf(entry, date, lookId), published?.inputs ?? [], signal);
      return {
        ...nothing,
        reason: changeOf(published, entry.digest, inputs),
        sizeBytes: sizeOf(inputs),
        place: isLarge(entry.definition, inputs) ? "own-run" : "batch",
        fingerprint: inputs.map(fingerprintOf),
      };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof InputMissing) return { ...nothing, reason: "no-input", place: "batch", fingerprint: null };
      if (!(error instanceof SourceUnavailable)) throw error;
      // A date that fails among others gets a run of its own, which tries again.
      const { code, message } = error;
      const unreachable = { reason: "unreachable", place: "own-run", fingerprint: "unreachable" } as const;
      return { ...nothing, ...unreachable, failure: { code, message } };
    }
  }

  async function see(dataset: DatasetId, { from, to }: DateRange): Promise<Seen> {
    try {
      const sightings = await orchestrator.statesOf(dataset, from, to);
      const runs = new Map(sightings.map((run) => [run.date, run]));
      return { temporal: { asked: true, message: null }, runs };
    } catch (error) {
      if (error instanceof AnalysisFailure) return unseen(error.message);
      throw error;
    }
  }

  /** With the failures of the first dates whose last run failed, where they can still be had. */
  async function explain(
    dataset: DatasetId,
    dates: readonly (PlannedDate & Pick<Look, "date">)[],
    signal: AbortSignal | undefined,
  ): Promise<readonly PlannedDate[]> {
    const failed = dates.filter(({ reason }) => reason === "failed").slice(0, explained);
    const failures = await mapBounded(failed, looks, signal, async ({ date }) => {
      const run = await orchestrator.describe(dataset, date).catch(throwUnlessAway);
      return [date, run?.failure ?? null] as const;
    });
    const byDate = new Map<string, PlannedDate["failure"]>(failures);
    return dates.map((each) => ({ ...each, failure: byDate.get(each.date) ?? each.failure }));
  }
}

function throwUnlessAway(error: unknown): undefined {
  if (!(error instanceof AnalysisFailure)) throw error;
}

function unseen(message: string | null): Seen {
  return { temporal: { asked: false, message }, runs: new Map() };
}

/** Where nothing at all can be asked about, there is no plan. */
function refuseUnreachable(looked: readonly Look[]): void {
  const [first] = looked;
  if (looked.every(({ reason }) => reason === "unreachable")) {
    throw new SourceUnavailable(first?.failure?.message ?? "the source could not be asked");
  }
}

function planned({ date, reason, failure, sizeBytes, place, publishedAt }: Look, { runs }: Seen) {
  const wanted = reason !== "no-input" && reason !== "unchanged";
  const hasFailed = wanted && reason !== "unreachable" && failedSince(runs.get(date), publishedAt);
  return {
    date,
    runs: wanted,
    reason: hasFailed ? ("failed" as const) : reason,
    failure,
    sizeBytes,
    place: wanted ? place : null,
  };
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

const nothingYet: Record<PlanReason, number> = {
  missing: 0,
  "input-changed": 0,
  "input-unknown": 0,
  "definition-changed": 0,
  failed: 0,
  unreachable: 0,
  unchanged: 0,
  "no-input": 0,
};

function countReasons(dates: readonly PlannedDate[]): Record<PlanReason, number> {
  const counts = { ...nothingYet };
  for (const { reason } of dates) counts[reason] += 1;
  return counts;
}
