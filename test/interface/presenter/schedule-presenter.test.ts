import { expect, test } from "vitest";
import {
  printPlannedChanges,
  printScheduleReport,
  printSchedules,
} from "../../../src/interface/presenter/schedule-presenter.ts";
import type { ListedSchedule } from "../../../src/usecase/dto/schedule-report.ts";

const flights: ListedSchedule = {
  id: "daily/flights",
  dataset: "flights",
  schedule: "0 6 * * *",
  timeZone: "America/New_York",
  action: "keep",
  reasons: [],
  paused: false,
  note: null,
  nextTimes: ["2026-03-08T10:00:00.000Z", "2026-03-09T10:00:00.000Z"],
  last: { nominalTime: "2026-03-07T11:00:00.000Z", workflowId: "w", status: "completed" },
};

const linesOf = (schedules: readonly ListedSchedule[]) =>
  printSchedules(schedules, 140)
    .split("\n")
    .filter((line) => line.startsWith("│"))
    .map((line) => line.split("│").map((cell) => cell.trim()));

test("times are those of the dataset's zone, on either side of a change of clocks", () => {
  expect(linesOf([flights])[1]?.slice(3, 7)).toEqual([
    "America/New_York",
    "2026-03-08 06:00",
    "2026-03-07 06:00 completed",
    "active",
  ]);
});

test.each<[Partial<ListedSchedule>, string]>([
  [{}, "active"],
  [{ paused: true }, "paused"],
  [{ paused: true, note: "maintenance" }, "paused: maintenance"],
  [{ action: "create" }, "not applied"],
  [{ action: "update", reasons: ["times", "time zone"] }, "differs: times, time zone"],
  [{ action: "update", reasons: ["times"], paused: true }, "differs: times; paused"],
  [{ action: "delete", reasons: ["no definition"] }, "to be deleted: no definition"],
  [{ action: "refuse", reasons: ["was not made by this service"] }, "taken: was not made by this service"],
])("a schedule with %j is %s", (fields, state) => {
  expect(linesOf([{ ...flights, ...fields }])[1]?.[6]).toBe(state);
});

test("a last day that Temporal has forgotten is said to be, and one that has not been is left out", () => {
  const forgotten = { nominalTime: "2026-03-07T11:00:00.000Z", workflowId: "w", status: null };
  expect(linesOf([{ ...flights, last: forgotten }])[1]?.[5]).toBe("2026-03-07 06:00 forgotten");
  expect(linesOf([{ ...flights, last: null, nextTimes: [] }])[1]?.slice(4, 6)).toEqual(["", ""]);
});

test("changes are told before and after", () => {
  const change = { id: "daily/flights", dataset: "flights", reasons: [] };
  const changes = (["create", "create", "update", "delete", "keep", "refuse"] as const).map((action) => ({
    ...change,
    action,
  }));
  expect(printPlannedChanges(changes, 100).match(/daily\/flights/g)).toHaveLength(6);
  const counts = "2 created, 1 updated, 1 deleted, 1 kept, 1 refused";
  expect(printScheduleReport({ dryRun: false, changes })).toBe(counts);
  expect(printScheduleReport({ dryRun: true, changes })).toBe(`${counts}, if this were no dry run`);
  expect(printScheduleReport({ dryRun: false, changes: [] })).toBe("nothing to do");
  expect(printPlannedChanges([], 100)).toBe("no definition has a schedule, and none is there");
});
