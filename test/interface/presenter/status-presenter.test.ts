import { expect, test } from "vitest";
import { parseDatasetId } from "../../../src/domain/value-object/dataset-id.ts";
import { parseTargetDate } from "../../../src/domain/value-object/target-date.ts";
import { printRebuild, printStatus, printStatusLines } from "../../../src/interface/presenter/status-presenter.ts";
import type { BackfillProgress } from "../../../src/usecase/dto/backfill.ts";
import type { DatasetStatus, DayState, StatusReport } from "../../../src/usecase/dto/status-report.ts";

const failedRun = {
  date: parseTargetDate("2026-02-01"),
  status: "failed",
  workflowId: "analysis/sales/2026-02-01",
  runId: "r",
  startedAt: "2026-02-02T06:00:00.000Z",
} as const;

function reportOf(first: string, states: readonly DayState[], more: Partial<DatasetStatus> = {}): StatusReport {
  const days = states.map((state, index) => ({
    date: parseTargetDate(new Date(Date.parse(first) + index * 86_400_000).toISOString().slice(0, 10)),
    state,
    result: null,
    run: state === "failed" ? failedRun : null,
  }));
  const counts = { published: 0, running: 0, failed: 0, late: 0, missing: 0, pending: 0, off: 0 };
  for (const state of states) counts[state] += 1;
  const dataset: DatasetStatus = {
    dataset: parseDatasetId("sales"),
    title: "Sales",
    from: parseTargetDate(first),
    to: days.at(-1)?.date ?? parseTargetDate(first),
    days,
    counts,
    results: counts.published,
    lastSuccess: null,
    freshness: { state: "late", date: parseTargetDate("2026-02-05"), deadline: "2026-02-06 09:00 UTC" },
    backfill: null,
    ...more,
  };
  return { at: "2026-02-06T10:00:00.000Z", temporal: { asked: true, message: null }, datasets: [dataset] };
}

test("a calendar has a line for each month and a mark for each day, from the first on", () => {
  const states: DayState[] = ["published", "missing", "running", "failed", "late", "pending"];
  expect(printStatus(reportOf("2026-01-29", states)).split("\n")).toEqual([
    "sales: Sales",
    "           1   5    10   15   20   25   30",
    "  2026-01                              #.r",
    "  2026-02  x!-",
    "6 days: 1 published, 1 running, 1 failed, 1 late, 1 missing, 1 not due yet",
    "LATE: 2026-02-05 is not there, and was due by 2026-02-06 09:00 UTC",
    "last success: none",
    "failed: analysis/sales/2026-02-01, run r",
    "",
    "# published   r running   x failed   ! late   . missing   - not due yet",
  ]);
});

test("months that are all alike take one line", () => {
  const lines = printStatus(reportOf("2016-01-01", [...Array<DayState>(3653).fill("published"), "missing"])).split(
    "\n",
  );
  expect(lines.slice(2, 5)).toEqual([
    "  2016-01 to 2025-12: 120 months, all published",
    "  2026-01  .",
    "3,654 days: 3,653 published, 1 missing",
  ]);
});

test("lines say the same in short, and what is not known", () => {
  const report = reportOf("2026-02-04", ["published", "late"]);
  expect(printStatusLines(report)).toBe(
    "sales: 2 days: 1 published, 1 late; LATE: 2026-02-05 is not there, and was due by 2026-02-06 09:00 UTC",
  );
  expect(printStatusLines({ ...report, temporal: { asked: false, message: "nobody answers" } })).toMatch(
    /\nrunning and failed are not known: nobody answers$/,
  );
});

test("a rebuild says what it has repaired", () => {
  const dataset = parseDatasetId("sales");
  expect(printRebuild([{ dataset, results: 3650, repaired: 0 }])).toBe("sales: 3,650 results, the index had no fault");
  expect(printRebuild([{ dataset, results: 1, repaired: 2 }])).toBe("sales: 1 result, 2 entries repaired");
});

test("dates that no schedule is due for have a mark that is explained where there are any", () => {
  const lines = printStatus(reportOf("2026-01-30", ["off", "off", "published", "missing", "pending"])).split("\n");
  expect(lines.slice(2, 5)).toEqual([
    "  2026-01                               __",
    "  2026-02  #.-",
    "5 days: 1 published, 1 missing, 1 not due yet, 2 not scheduled",
  ]);
  expect(lines.slice(-2)).toEqual([
    "# published   r running   x failed   ! late   . missing   - not due yet",
    "_ not scheduled",
  ]);
});

test("a day that never was leaves its place in the calendar", () => {
  const whole = reportOf("2011-12-28", ["published", "published", "missing", "published"]);
  const [dataset] = whole.datasets.map((each) => ({
    ...each,
    days: each.days.filter(({ date }) => date !== "2011-12-30"),
  }));
  const lines = printStatus({ ...whole, datasets: dataset === undefined ? [] : [dataset] }).split("\n");
  expect(lines[2]).toBe("  2011-12                             ## #");
});

test("a backfill that is under way has a line, also when no worker tells how far it is", () => {
  const progress: BackfillProgress = {
    dataset: "sales",
    from: "2013-01-01",
    to: "2013-12-31",
    mode: "changed",
    window: 4,
    state: "running",
    total: 1365,
    done: 1200,
    counts: { published: 1200, unchanged: 0, skipped: 0, superseded: 0, "no-input": 0, failed: 0 },
    failures: [],
  };
  const backfill = { workflowId: "backfill/sales", runId: "r", startedAt: "2026-02-06T06:00:00.000Z", progress };
  const line = "backfill 2013-01-01 to 2013-12-31: running, 1,200 of 1,365 dates";
  expect(printStatus(reportOf("2026-01-29", ["published"], { backfill })).split("\n")).toContain(line);
  expect(printStatusLines(reportOf("2026-01-29", ["published"], { backfill }))).toMatch(new RegExp(`; ${line}$`));
  const silent = printStatus(reportOf("2026-01-29", ["published"], { backfill: { ...backfill, progress: null } }));
  expect(silent.split("\n")).toContain("backfill: running; no worker tells how far it is");
});
