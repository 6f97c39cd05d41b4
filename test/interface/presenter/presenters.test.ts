import { expect, test } from "vitest";
import { Crashed, failureCodes, failureOf, InputMissing } from "../../../src/domain/model/failure.ts";
import { failureJson, presentFailure } from "../../../src/interface/presenter/failure-presenter.ts";
import { printJson } from "../../../src/interface/presenter/json-presenter.ts";
import { createProgress } from "../../../src/interface/presenter/progress-presenter.ts";
import { count, printResult, printTable } from "../../../src/interface/presenter/result-presenter.ts";
import { printRun } from "../../../src/interface/presenter/run-presenter.ts";
import { Stopped } from "../../../src/interface/stop-requested.ts";
import { fakeManifest, fakeOutput } from "../../support/fake-run-analysis.ts";

const input = { dataset: "totals", date: "2026-01-01", runId: "run-1", fence: "2026-01-02T00:00:00.000Z" };

test("every code has an exit status of its own, and none is 0 or 1", () => {
  const statuses = failureCodes.map((code) => presentFailure(failureOf(code, "x")).exitStatus);
  expect(new Set(statuses).size).toBe(failureCodes.length);
  expect(statuses.every((status) => status > 1 && status < 128)).toBe(true);
});

test("what is no expected failure is a crash with its message and without a stack", () => {
  expect(presentFailure(new TypeError("x is not a function"))).toMatchObject({
    code: "crashed",
    exitStatus: 32,
    message: "unexpected: x is not a function",
  });
  expect(presentFailure("text")).toMatchObject({ code: "crashed", message: "unexpected: text" });
  expect(JSON.stringify(failureJson(new Crashed("it", { cause: new Error("inner") })))).toBe(
    '{"error":{"code":"crashed","message":"it"}}',
  );
});

test("a process that was asked to end has not failed, and its status names the signal", () => {
  expect(presentFailure(new Stopped("SIGINT"))).toMatchObject({ code: "stopped", exitStatus: 130 });
  expect(presentFailure(new Stopped("SIGTERM"))).toMatchObject({ code: "stopped", exitStatus: 143 });
});

test("details stand beside the code and the message and never replace them", () => {
  const failure = new InputMissing("no file", { details: { status: 404, code: "fine", message: "all is well" } });
  expect(failureJson(failure)).toEqual({ error: { code: "input-missing", message: "no file", status: 404 } });
});

test("JSON keeps all digits of an integer beyond 2^53", () => {
  expect(printJson({ small: 1, large: 9007199254740993n, list: [-9223372036854775808n] })).toBe(
    '{"small":1,"large":9007199254740993,"list":[-9223372036854775808]}',
  );
});

test("progress is drawn on a terminal and nowhere else", () => {
  const written: string[] = [];
  const write = (text: string) => written.push(text);
  const silent = createProgress(write, false);
  silent.show("working");
  silent.clear();
  expect(written).toEqual([]);
  const drawn = createProgress(write, true);
  drawn.show("working");
  drawn.clear();
  expect(written).toEqual(["\r\u001b[2Kworking …", "\r\u001b[2K"]);
});

test("numbers stand right, text stands left, and nothing stands where a value is missing", () => {
  const table = printTable(
    ["name", "total"],
    [
      ["a", 4],
      ["long name", 12345678901234567890n],
      ["c", null],
    ],
    100,
  );
  expect(table.split("\n")).toEqual([
    "┌───────────┬──────────────────────┐",
    "│ name      │                total │",
    "├───────────┼──────────────────────┤",
    "│ a         │                    4 │",
    "│ long name │ 12345678901234567890 │",
    "│ c         │                      │",
    "└───────────┴──────────────────────┘",
  ]);
});

test.each([20, 40, 80])("a table fits a terminal of %s columns and shows where it cuts", (width) => {
  const rows = [["x".repeat(60), "y".repeat(60), 1]];
  const lines = printTable(["one", "two", "n"], rows, width).split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
  expect(lines.join("")).toContain("…");
});

test("a nested value is shown as JSON", () => {
  expect(printTable(["v"], [[{ a: [1, null] }]], 100)).toContain('{"a":[1,null]}');
});

test("a result is told with what it was read from, what was checked and what a person should know", () => {
  const manifest = {
    ...fakeManifest(input),
    rowsRead: 1_234,
    notes: ["the file has a column more"],
    checks: [{ name: "row count", on: "result", passed: true, observed: "2 rows", expected: "at least 1" } as const],
  };
  const rows = [{ category: "a", total: 4 }];
  const shown = { dataset: "totals", date: "2026-01-01", manifest, rows };
  expect(printResult(shown, 100).split("\n")).toEqual([
    "totals 2026-01-01: 2 rows from 1,234 rows of input",
    "┌──────────┬───────┐",
    "│ category │ total │",
    "├──────────┼───────┤",
    "│ a        │     4 │",
    "└──────────┴───────┘",
    "… and 1 more row: --limit shows them",
    "published 2026-01-02T00:00:00.000Z by run run-1",
    "manifest  totals/2026-01-01/_manifests/1.json",
    "check     row count: 2 rows, expected at least 1",
    "note      the file has a column more",
  ]);
});

test.each([
  ["published", "published"],
  ["unchanged", "unchanged: the published result was made from the same input and definition"],
  ["skipped", "skipped: a result is published already"],
  ["superseded", "superseded: a later run has published"],
] as const)("a run that ended %s is one line", (outcome, text) => {
  expect(printRun(fakeOutput(input, outcome))).toBe(
    `totals 2026-01-01 ${text} (2 rows, totals/2026-01-01/result.parquet)`,
  );
});

test("one row is one row", () => {
  expect([count(0, "row"), count(1, "row"), count(1_000, "row")]).toEqual(["0 rows", "1 row", "1,000 rows"]);
});
