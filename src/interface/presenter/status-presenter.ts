import type {
  DatasetStatus,
  Day,
  DayState,
  Freshness,
  RebuildReport,
  StatusReport,
} from "../../usecase/dto/status-report.ts";
import { count } from "./result-presenter.ts";

const marks: Readonly<Record<DayState, string>> = {
  published: "#",
  running: "r",
  failed: "x",
  late: "!",
  missing: ".",
  pending: "-",
  off: "_",
};
const words: Readonly<Record<DayState, string>> = {
  published: "published",
  running: "running",
  failed: "failed",
  late: "late",
  missing: "missing",
  pending: "not due yet",
  off: "not scheduled",
};
const states = Object.keys(words) as readonly DayState[];
/** Months that are all alike take one line from this number on. */
const alikeMonths = 4;
const shownFailures = 3;
const ruler = "           1   5    10   15   20   25   30";

/** A calendar of every dataset, a line for each month and a character for each day; fits 80 columns. */
export function printStatus(report: StatusReport): string {
  return [...report.datasets.map(printDataset), ...printLegend(report), ...printTemporal(report)].join("\n");
}

function printLegend({ datasets }: StatusReport): readonly string[] {
  const explain = (state: DayState) => `${marks[state]} ${words[state]}`;
  const hasOff = datasets.some(({ counts }) => counts.off > 0);
  const usual = states.filter((state) => state !== "off").map(explain);
  return [usual.join("   "), ...(hasOff ? [explain("off")] : [])];
}

/** A line for each dataset. */
export function printStatusLines({ datasets, ...report }: StatusReport): string {
  const lines = datasets.map((each) =>
    [
      `${each.dataset}: ${printCounts(each)}`,
      ...(each.freshness === null ? [] : [printFreshness(each.freshness)]),
      ...printBackfillLine(each),
    ].join("; "),
  );
  return [...lines, ...printTemporal(report)].join("\n");
}

export function printRebuild(report: RebuildReport): string {
  return report
    .map(({ dataset, results, repaired }) => {
      const entries =
        repaired === 0 ? "the index had no fault" : `${repaired} ${repaired === 1 ? "entry" : "entries"} repaired`;
      return `${dataset}: ${count(results, "result")}, ${entries}`;
    })
    .join("\n");
}

function printTemporal({ temporal }: Pick<StatusReport, "temporal">): readonly string[] {
  if (temporal.asked) return [];
  return [`running and failed are not known: ${temporal.message ?? "Temporal was not asked"}`];
}

function printDataset(status: DatasetStatus): string {
  const { dataset, title, days, freshness, lastSuccess } = status;
  const failures = days.filter(({ state }) => state === "failed").slice(-shownFailures);
  return [
    `${dataset}: ${title}`,
    ...(days.length === 0 ? [] : [ruler, ...calendar(days)]),
    printCounts(status),
    freshness === null ? "no schedule and no deadline: no date is waited for" : printFreshness(freshness),
    lastSuccess === null ? "last success: none" : `last success: ${lastSuccess.date}, at ${lastSuccess.publishedAt}`,
    ...printBackfillLine(status),
    ...failures.map(({ run }) => `failed: ${run?.workflowId}, run ${run?.runId}`),
    "",
  ].join("\n");
}

function printCounts({ from, to, days, counts }: DatasetStatus): string {
  const parts = states
    .filter((state) => counts[state] > 0)
    .map((state) => `${counts[state].toLocaleString("en")} ${words[state]}`);
  return days.length === 0 ? `no days from ${from} to ${to}` : `${count(days.length, "day")}: ${parts.join(", ")}`;
}

function printBackfillLine({ backfill }: DatasetStatus): readonly string[] {
  if (backfill === null) return [];
  if (backfill.progress === null) return ["backfill: running; no worker tells how far it is"];
  const { from, to, state, done, total } = backfill.progress;
  return [`backfill ${from} to ${to}: ${state}, ${done.toLocaleString("en")} of ${count(total, "date")}`];
}

function printFreshness({ state, date, deadline }: Freshness): string {
  switch (state) {
    case "fresh":
      return `fresh: ${date} is there`;
    case "pending":
      return `on time: ${date} is due by ${deadline}`;
    case "late":
      return `LATE: ${date} is not there, and was due by ${deadline}`;
    case "missing":
      return `not fresh: ${date} is not there; it has no deadline`;
  }
}

type Month = { readonly name: string; readonly days: readonly Day[]; readonly alike: DayState | undefined };

function calendar(days: readonly Day[]): readonly string[] {
  const months = [...Map.groupBy(days, ({ date }) => date.slice(0, 7))].map(([name, ofMonth]): Month => {
    const first = ofMonth[0]?.state;
    return { name, days: ofMonth, alike: ofMonth.every(({ state }) => state === first) ? first : undefined };
  });
  const lines: string[] = [];
  for (let start = 0; start < months.length; ) {
    const group = months.slice(start, endOfAlike(months, start));
    const [first, last] = [group[0], group.at(-1)];
    if (group.length >= alikeMonths && first?.alike !== undefined) {
      lines.push(`  ${first.name} to ${last?.name}: ${group.length} months, all ${words[first.alike]}`);
    } else {
      lines.push(...group.map(printMonth));
    }
    start += group.length;
  }
  return lines;
}

function endOfAlike(months: readonly Month[], start: number): number {
  const alike = months[start]?.alike;
  let end = start + 1;
  while (alike !== undefined && months[end]?.alike === alike) end += 1;
  return end;
}

function printMonth({ name, days }: Month): string {
  // Days that never were in the zone leave their place.
  const byDay = new Map(days.map(({ date, state }) => [Number(date.slice(8)), marks[state]]));
  const last = Math.max(...byDay.keys());
  return `  ${name}  ${Array.from({ length: last }, (_, index) => byDay.get(index + 1) ?? " ").join("")}`;
}
