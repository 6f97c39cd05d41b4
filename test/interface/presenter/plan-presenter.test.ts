import { expect, test } from "vitest";
import { printPlan } from "../../../src/interface/presenter/plan-presenter.ts";
import type { Plan } from "../../../src/usecase/dto/plan.ts";

const plan: Plan = {
  dataset: "sales",
  from: "2026-02-01",
  to: "2026-02-03",
  hash: "abc",
  temporal: { asked: true, message: null },
  counts: {
    missing: 0,
    "input-changed": 0,
    "input-unknown": 0,
    "definition-changed": 0,
    failed: 1,
    unreachable: 1,
    unchanged: 1,
    "no-input": 0,
  },
  runs: 2,
  bytesToRead: null,
  dates: [
    {
      date: "2026-02-01",
      runs: true,
      reason: "failed",
      failure: { code: "checks-failed", message: "rows: 0" },
      sizeBytes: 10,
      place: "batch",
    },
    {
      date: "2026-02-02",
      runs: true,
      reason: "unreachable",
      failure: { code: "source-unavailable", message: "the host is away" },
      sizeBytes: null,
      place: "own-run",
    },
    { date: "2026-02-03", runs: false, reason: "unchanged", failure: null, sizeBytes: 10, place: null },
  ],
};

test("a plan counts the reasons, then lists the dates that would be calculated, with codes and messages", () => {
  const lines = printPlan(plan, 100).split("\n");
  expect(lines[0]).toBe("sales 2026-02-01 to 2026-02-03: 2 dates of 3 would be calculated, from input of unknown size");
  const cells = lines.filter((line) => line.startsWith("│")).map((line) => line.split("│").map((cell) => cell.trim()));
  expect(cells.map((row) => row.slice(1, -1))).toEqual([
    ["dates", "would be", "because"],
    ["1", "calculated", "its last run failed"],
    ["1", "calculated", "the source cannot be asked"],
    ["1", "left", "unchanged"],
    ["date", "because", "bytes", "runs"],
    ["2026-02-01", "its last run failed: checks-failed", "10", "with others"],
    ["2026-02-02", "the source cannot be asked: the host is away", "", "by itself"],
  ]);
  expect(lines.at(-1)).toBe("plan abc");
});

test("a plan without Temporal says so in one line, before the hash", () => {
  const [line] = printPlan({ ...plan, temporal: { asked: false, message: "nobody answers" } }, 100)
    .split("\n")
    .slice(-2);
  expect(line).toBe("which dates have failed is not known: nobody answers");
});
