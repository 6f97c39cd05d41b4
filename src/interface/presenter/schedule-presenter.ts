import type { ListedSchedule, ScheduleChange, ScheduleReport } from "../../usecase/dto/schedule-report.ts";
import { printTable } from "./result-presenter.ts";

/** A table for a terminal; times are those of the dataset's zone. */
export function printSchedules(schedules: readonly ListedSchedule[], width: number): string {
  if (schedules.length === 0) return "no definition has a schedule";
  const head = ["dataset", "schedule", "time zone", "next", "last", "state"];
  const rows = schedules.map((each) => [
    each.dataset,
    each.schedule,
    each.timeZone,
    localTime(each.nextTimes[0], each.timeZone),
    each.last === null ? null : `${localTime(each.last.nominalTime, each.timeZone)} ${each.last.status ?? "forgotten"}`,
    stateOf(each),
  ]);
  return printTable(head, rows, width);
}

const states: Record<ScheduleChange["action"], string> = {
  keep: "active",
  create: "not applied",
  update: "differs",
  delete: "to be deleted",
  refuse: "taken",
};

function stateOf({ action, reasons, paused, note }: ListedSchedule): string {
  const state = reasons.length === 0 ? states[action] : `${states[action]}: ${reasons.join(", ")}`;
  if (!paused) return state;
  const pause = note === null ? "paused" : `paused: ${note}`;
  return action === "keep" ? pause : `${state}; ${pause}`;
}

function localTime(instant: string | undefined, timeZone: string | null): string | null {
  if (instant === undefined) return null;
  const zone = { timeZone: timeZone ?? "UTC" };
  return new Intl.DateTimeFormat("sv", { ...zone, dateStyle: "short", timeStyle: "short" }).format(new Date(instant));
}

const verbs = [
  ["create", "created"],
  ["update", "updated"],
  ["delete", "deleted"],
  ["keep", "kept"],
  ["refuse", "refused"],
] as const;

/** Each change, before it is made. */
export function printPlannedChanges(changes: readonly ScheduleChange[], width: number): string {
  if (changes.length === 0) return "no definition has a schedule, and none is there";
  const rows = changes.map(({ action, id, reasons }) => [action, id, reasons.join(", ")]);
  return printTable(["", "schedule", "why"], rows, width);
}

/** What an `apply` that was stopped leaves; the first of them may have been under way. */
export function printNotDone(changes: readonly ScheduleChange[]): string {
  return `not done: ${changes.map(({ action, id }) => `${action} ${id}`).join(", ")}`;
}

/** One sentence. */
export function printScheduleReport({ dryRun, changes }: ScheduleReport): string {
  const counts = verbs.flatMap(([action, verb]) => {
    const number = changes.filter((change) => change.action === action).length;
    return number === 0 ? [] : [`${number} ${verb}`];
  });
  const what = counts.length === 0 ? "nothing to do" : counts.join(", ");
  return dryRun ? `${what}, if this were no dry run` : what;
}
