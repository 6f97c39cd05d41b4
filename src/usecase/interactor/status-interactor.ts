import { AnalysisFailure } from "../../domain/model/failure.ts";
import { type DatasetId, parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import type { TargetDate } from "../../domain/value-object/target-date.ts";
import type { DatasetStatus, Day, DayState, Freshness, StatusReport } from "../dto/status-report.ts";
import { longestRangeDays, type ParsedStatusRequest, parseStatusRequest, refuseRange } from "../dto/status-request.ts";
import { failedSince } from "../failed-since.ts";
import type { StatusUseCase } from "../ports/input/status-usecase.ts";
import type { CatalogEntry, DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { IndexedResult, ResultIndex } from "../ports/output/result-index.ts";
import type { RunOrchestrator, RunSighting } from "../ports/output/run-orchestrator.ts";
import { addDays, datesFrom, localTime } from "./status-dates.ts";

export type StatusPorts = {
  readonly catalog: DatasetCatalog;
  readonly index: ResultIndex;
  readonly orchestrator: Pick<RunOrchestrator, "statesOf">;
  readonly now: () => Date;
};

const defaultDays = 90;
/** How many dates that the index lacks the store itself is asked about, the newest first. */
const lookUps = 32;

export function createStatusInteractor({ catalog, index, orchestrator, now }: StatusPorts): StatusUseCase {
  return {
    async status(request): Promise<StatusReport> {
      const parsed = parseStatusRequest(request);
      const at = now();
      const views = await Promise.all(entriesOf(parsed.dataset).map((entry) => look(entry, parsed, at)));
      const sightings = parsed.fromStoreAlone ? [] : await Promise.allSettled(views.map(see));
      const away = sightings.find((sighting) => sighting.status === "rejected")?.reason;
      if (away !== undefined && !(away instanceof AnalysisFailure)) throw away;
      const datasets = views.map((view, position) => {
        const sighting = sightings[position];
        return report(view, sighting?.status === "fulfilled" ? sighting.value : []);
      });
      const asked = !parsed.fromStoreAlone && away === undefined;
      return { at: at.toISOString(), temporal: { asked, message: away?.message ?? null }, datasets };
    },

    async rebuild(dataset) {
      const ids = entriesOf(dataset === undefined ? undefined : parseDatasetId(dataset)).map(({ id }) => id);
      const rebuilt = [];
      for (const id of ids) rebuilt.push({ dataset: id, ...(await index.rebuild(id)) });
      return rebuilt;
    },
  };

  function entriesOf(dataset: DatasetId | undefined): readonly CatalogEntry[] {
    return dataset === undefined ? catalog.list() : [catalog.get(dataset)];
  }

  /** What the store says. */
  async function look(entry: CatalogEntry, request: ParsedStatusRequest, at: Date): Promise<View> {
    const expectation = expectationOf(entry, at);
    const known = await index.read(entry.id);
    const { from, to } = rangeOf(request, known, expectation);
    const byDate = new Map(known.map((result) => [result.date, result]));
    const dates = datesFrom(from, to);
    const wanted = new Set([...dates, ...awaited(expectation)]);
    const lacking = [...wanted]
      .filter((date) => !byDate.has(date))
      .toSorted()
      .toReversed();
    for (const found of await index.lookUp(entry.id, lacking.slice(0, lookUps))) byDate.set(found.date, found);
    if (lacking.length > lookUps && lacking.slice(0, lookUps).some((date) => byDate.has(date))) {
      // It is behind, and who knows by how much.
      await index.rebuild(entry.id);
      for (const result of await index.read(entry.id)) byDate.set(result.date, result);
    }
    return { entry, expectation, from, to, dates, byDate };
  }

  function see({ entry, from, to, dates }: View): Promise<readonly RunSighting[]> {
    return dates.length === 0 ? Promise.resolve([]) : orchestrator.statesOf(entry.id, from, to);
  }
}

type View = {
  readonly entry: CatalogEntry;
  readonly expectation: Expectation;
  readonly from: TargetDate;
  readonly to: TargetDate;
  readonly dates: readonly TargetDate[];
  readonly byDate: ReadonlyMap<TargetDate, IndexedResult>;
};

/** What freshness is about. */
function awaited({ expects, newest, due }: Expectation): readonly TargetDate[] {
  return expects ? [newest, due ?? newest] : [];
}

/** What a definition lets expect at a moment. */
type Expectation = {
  /** Whether it has a schedule or a deadline: else nobody waits for a date. */
  readonly expects: boolean;
  /** The newest date that may be there by now. */
  readonly newest: TargetDate;
  /** The newest whose deadline has passed, where there are deadlines. */
  readonly due: TargetDate | undefined;
  readonly deadlineOf: (date: TargetDate) => string | null;
};

function expectationOf({ definition }: CatalogEntry, at: Date): Expectation {
  const { schedule, deadline, timeZone, lagDays = 1 } = definition;
  const local = localTime(at, timeZone);
  const newest = addDays(local.date, -lagDays);
  const duePassed = deadline !== undefined && local.time >= deadline;
  return {
    expects: schedule !== undefined || deadline !== undefined,
    newest,
    due: deadline === undefined ? undefined : duePassed ? newest : addDays(newest, -1),
    deadlineOf: (date) => (deadline === undefined ? null : `${addDays(date, lagDays)} ${deadline} ${timeZone}`),
  };
}

function rangeOf(
  request: ParsedStatusRequest,
  known: readonly IndexedResult[],
  { expects, newest }: Expectation,
): { readonly from: TargetDate; readonly to: TargetDate } {
  const [first, last] = [known[0]?.date, known.at(-1)?.date];
  // Where nobody waits for a date, none is missing after the last one.
  const usualTo = last === undefined ? newest : expects ? laterOf(newest, last) : last;
  const to = request.to ?? usualTo;
  const longest = addDays(to, 1 - longestRangeDays);
  const usualFrom = first === undefined || first > to ? addDays(to, 1 - defaultDays) : laterOf(first, longest);
  const from = request.from ?? usualFrom;
  // Of many datasets some may end before the range begins.
  if (request.dataset !== undefined || from <= to) refuseRange(from, to);
  return { from, to };
}

function laterOf(one: TargetDate, other: TargetDate): TargetDate {
  return one > other ? one : other;
}

function report(
  { entry, expectation, from, to, dates, byDate }: View,
  sightings: readonly RunSighting[],
): DatasetStatus {
  const runs = new Map(sightings.map((run) => [run.date, run]));
  const days = dates.map((date): Day => {
    const [result, run] = [byDate.get(date) ?? null, runs.get(date) ?? null];
    return { date, state: stateOf(date, result, run, expectation), result, run };
  });
  const counts: Record<DayState, number> = { published: 0, running: 0, failed: 0, late: 0, missing: 0, pending: 0 };
  for (const { state } of days) counts[state] += 1;
  return {
    dataset: entry.id,
    title: entry.definition.title,
    from,
    to,
    counts,
    results: days.filter(({ result }) => result !== null).length,
    lastSuccess: lastOf([...byDate.values()]),
    freshness: expectation.expects ? freshnessOf(expectation, (date) => byDate.has(date)) : null,
    days,
  };
}

function stateOf(
  date: TargetDate,
  result: IndexedResult | null,
  run: RunSighting | null,
  { expects, newest, due }: Expectation,
): DayState {
  if (run?.status === "running") return "running";
  if (failedSince(run ?? undefined, result?.publishedAt)) return "failed";
  if (result !== null) return "published";
  if (!expects) return "missing";
  if (date === due) return "late";
  return date > (due ?? newest) ? "pending" : "missing";
}

function freshnessOf({ newest, due, deadlineOf }: Expectation, isThere: (date: TargetDate) => boolean): Freshness {
  const of = (state: Freshness["state"], date: TargetDate) => ({ state, date, deadline: deadlineOf(date) });
  if (isThere(newest)) return of("fresh", newest);
  if (due === undefined) return of("missing", newest);
  return due === newest || !isThere(due) ? of("late", due) : of("pending", newest);
}

function lastOf(results: readonly IndexedResult[]): DatasetStatus["lastSuccess"] {
  const last = results.reduce<IndexedResult | undefined>(
    (latest, each) => (latest === undefined || each.publishedAt > latest.publishedAt ? each : latest),
    undefined,
  );
  return last === undefined ? null : { date: last.date, publishedAt: last.publishedAt };
}
