import { dailyDefaults } from "../../domain/model/dataset-definition.ts";
import { AnalysisFailure } from "../../domain/model/failure.ts";
import { parseCron } from "../../domain/service/cron-service.ts";
import {
  type DueDate,
  datesInZone,
  dueDatesIn,
  lastDueDates,
  nominalDate,
  wallTime,
} from "../../domain/service/nominal-date-service.ts";
import { type DatasetId, parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { addDays } from "../../domain/value-object/date-range.ts";
import type { TargetDate } from "../../domain/value-object/target-date.ts";
import type { DatasetStatus, Day, DayState, Freshness, StatusReport } from "../dto/status-report.ts";
import { longestRangeDays, type ParsedStatusRequest, parseStatusRequest, refuseRange } from "../dto/status-request.ts";
import { failedSince } from "../failed-since.ts";
import type { StatusUseCase } from "../ports/input/status-usecase.ts";
import type { BackfillOrchestrator } from "../ports/output/backfill-orchestrator.ts";
import type { CatalogEntry, DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { IndexedResult, ResultIndex } from "../ports/output/result-index.ts";
import type { RunOrchestrator, RunSighting } from "../ports/output/run-orchestrator.ts";

export type StatusPorts = {
  readonly catalog: DatasetCatalog;
  readonly index: ResultIndex;
  readonly orchestrator: Pick<RunOrchestrator, "statesOf">;
  readonly backfills: Pick<BackfillOrchestrator, "underWay">;
  readonly now: () => Date;
};

const defaultDays = 90;
/** How many dates that the index lacks the store itself is asked about, the newest first. */
const lookUps = 32;

export function createStatusInteractor({ catalog, index, orchestrator, backfills, now }: StatusPorts): StatusUseCase {
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
        return report(view, sighting?.status === "fulfilled" ? sighting.value : unseen);
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
    const dates = datesInZone({ from, to }, entry.definition.timeZone);
    const off = offDates(entry, dates);
    const wanted = new Set([...dates, ...awaited(expectation)].toSorted().toReversed());
    const absent = [...wanted].filter((date) => !byDate.has(date));
    // What nobody waits for comes last.
    const lacking = [...absent.filter((date) => !off.has(date)), ...absent.filter((date) => off.has(date))];
    for (const found of await index.lookUp(entry.id, lacking.slice(0, lookUps))) byDate.set(found.date, found);
    if (lacking.length > lookUps && lacking.slice(0, lookUps).some((date) => byDate.has(date))) {
      // It is behind, and who knows by how much.
      await index.rebuild(entry.id);
      for (const result of await index.read(entry.id)) byDate.set(result.date, result);
    }
    return { entry, expectation, from, to, dates, off, byDate };
  }

  /** What Temporal says. */
  async function see({ entry, from, to, dates }: View): Promise<Seen> {
    const [runs, backfill] = await Promise.all([
      dates.length === 0 ? [] : orchestrator.statesOf(entry.id, from, to),
      backfills.underWay(entry.id),
    ]);
    return { runs, backfill: backfill ?? null };
  }
}

type Seen = { readonly runs: readonly RunSighting[]; readonly backfill: DatasetStatus["backfill"] };

const unseen: Seen = { runs: [], backfill: null };

type View = {
  readonly entry: CatalogEntry;
  readonly expectation: Expectation;
  readonly from: TargetDate;
  readonly to: TargetDate;
  readonly dates: readonly TargetDate[];
  /** Those of them for which the schedule is not due. */
  readonly off: ReadonlySet<TargetDate>;
  readonly byDate: ReadonlyMap<TargetDate, IndexedResult>;
};

/** What freshness is about. */
function awaited({ expects, newest, due }: Expectation): readonly TargetDate[] {
  return expects ? [newest.date, (due ?? newest).date] : [];
}

/** What a definition lets expect at a moment. */
type Expectation = {
  /** Whether it has a schedule or a deadline: else nobody waits for a date. */
  readonly expects: boolean;
  /** The newest date that may be there by now. */
  readonly newest: DueDate;
  /** The newest whose deadline has passed, where there are deadlines. */
  readonly due: DueDate | undefined;
  readonly deadlineOf: (due: DueDate) => string | null;
};

/** Of a definition with a deadline alone. */
const everyDay = "0 0 * * *";

function expectationOf({ definition }: CatalogEntry, at: Date): Expectation {
  const { schedule, deadline, timeZone, lagDays = dailyDefaults.lagDays } = definition;
  const { day, time } = wallTime(at, timeZone);
  const [newest = { date: nominalDate(at, timeZone, lagDays), day }, before] = lastDueDates(
    parseCron(schedule ?? everyDay),
    at,
    timeZone,
    lagDays,
    2,
  );
  const hasPassed = deadline !== undefined && (newest.day < day || time >= deadline);
  return {
    expects: schedule !== undefined || deadline !== undefined,
    newest,
    due: deadline === undefined ? undefined : hasPassed ? newest : before,
    deadlineOf: (due) => (deadline === undefined ? null : `${due.day} ${deadline} ${timeZone}`),
  };
}

function offDates({ definition }: CatalogEntry, dates: readonly TargetDate[]): ReadonlySet<TargetDate> {
  const { schedule, timeZone, lagDays = dailyDefaults.lagDays } = definition;
  const [from, to] = [dates[0], dates.at(-1)];
  if (schedule === undefined || from === undefined || to === undefined) return new Set();
  const due = new Set(dueDatesIn(parseCron(schedule), { from, to }, timeZone, lagDays));
  return new Set(dates.filter((date) => !due.has(date)));
}

function rangeOf(
  request: ParsedStatusRequest,
  known: readonly IndexedResult[],
  { expects, newest: { date: newest } }: Expectation,
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

function report({ entry, expectation, from, to, dates, off, byDate }: View, seen: Seen): DatasetStatus {
  const runs = new Map(seen.runs.map((run) => [run.date, run]));
  const days = dates.map((date): Day => {
    const [result, run] = [byDate.get(date) ?? null, runs.get(date) ?? null];
    return { date, state: stateOf(date, result, run, off.has(date), expectation), result, run };
  });
  const counts: Record<DayState, number> = {
    published: 0,
    running: 0,
    failed: 0,
    late: 0,
    missing: 0,
    pending: 0,
    off: 0,
  };
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
    backfill: seen.backfill,
    days,
  };
}

function stateOf(
  date: TargetDate,
  result: IndexedResult | null,
  run: RunSighting | null,
  isOff: boolean,
  { expects, newest, due }: Expectation,
): DayState {
  if (run?.status === "running") return "running";
  if (failedSince(run ?? undefined, result?.publishedAt)) return "failed";
  if (result !== null) return "published";
  if (isOff) return "off";
  if (!expects) return "missing";
  if (date === due?.date) return "late";
  return date > (due ?? newest).date ? "pending" : "missing";
}

function freshnessOf({ newest, due, deadlineOf }: Expectation, isThere: (date: TargetDate) => boolean): Freshness {
  const of = (state: Freshness["state"], expected: DueDate) => ({
    state,
    date: expected.date,
    deadline: deadlineOf(expected),
  });
  if (isThere(newest.date)) return of("fresh", newest);
  if (due === undefined) return of("missing", newest);
  return due === newest || !isThere(due.date) ? of("late", due) : of("pending", newest);
}

function lastOf(results: readonly IndexedResult[]): DatasetStatus["lastSuccess"] {
  const last = results.reduce<IndexedResult | undefined>(
    (latest, each) => (latest === undefined || each.publishedAt > latest.publishedAt ? each : latest),
    undefined,
  );
  return last === undefined ? null : { date: last.date, publishedAt: last.publishedAt };
}
