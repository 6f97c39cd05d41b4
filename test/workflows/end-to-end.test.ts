import { randomUUID } from "node:crypto";
import { ApplicationFailure, type WorkflowFailedError } from "@temporalio/client";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { createServiceWithTemporal, type ServiceWithTemporal, smallCsv } from "../support/service.ts";

/** One real worker process for all tests of this file. */
let service: ServiceWithTemporal;

beforeAll(async () => {
  service = await createServiceWithTemporal(inject("temporalAddress"));
  await service.define("totals");
  await service.define("refused", { checks: "[rowCount({ min: 3 })]" });
  await service.write("2026-01-01.csv", smallCsv);
  await service.worker();
});

afterAll(() => service[Symbol.asyncDispose]());

/** As the `temporal` CLI starts it: no search attribute, no summary, arguments as they come. */
async function outcomeOf(...args: unknown[]) {
  const workflowId = randomUUID();
  const begin = performance.now();
  const run = await service.client.workflow.start("runAnalysis", { workflowId, taskQueue: "analysis", args });
  const result = await run.result().catch((error: WorkflowFailedError) => error.cause);
  const { searchAttributes, status } = await run.describe();
  return { result, searchAttributes, status: status.name, tookMs: performance.now() - begin };
}

test("a date is published, and then unchanged, whoever starts the run", async () => {
  const request = { dataset: "totals", date: "2026-01-01" };
  const first = await outcomeOf(request);
  expect(first.result).toMatchObject({ outcome: "published", rows: 2, manifest: { rowsRead: 3 } });
  expect(first.searchAttributes).toMatchObject({ AnalysisDataset: ["totals"], AnalysisDate: ["2026-01-01"] });
  const second = await outcomeOf(request);
  expect(second.result).toMatchObject({ outcome: "unchanged" });
  expect(await outcomeOf({ ...request, mode: "missing" })).toMatchObject({ result: { outcome: "skipped" } });
  const submitted = await service.run("cli", ["submit", "totals", "2026-01-01", "--json"]);
  expect(JSON.parse(submitted.out)).toMatchObject({ outcome: "unchanged", rows: 2 });
  const forced = await service.run("cli", ["submit", "totals", "2026-01-01", "--mode", "force"]);
  expect(forced).toMatchObject({ status: 0, err: "" });
  expect(forced.out).toMatch(/^totals 2026-01-01 published \(2 rows/);
  expect((await service.stored()).filter((path) => path.includes("/_manifests/"))).toHaveLength(2);
});

test.each([
  ["no input", [], /dataset must be .* got nothing/],
  ["null", [null], /dataset must be .* got nothing/],
  ["a text", ["totals 2026-01-01"], /dataset must be .* got nothing/],
  ["a list", [["totals", "2026-01-01"]], /dataset must be .* got nothing/],
  ["no dataset", [{ date: "2026-01-01" }], /dataset must be .* got nothing/],
  ["no date", [{ dataset: "totals" }], /date must have the form YYYY-MM-DD, got nothing/],
  ["a number as date", [{ dataset: "totals", date: 20260101 }], /YYYY-MM-DD, got 20260101/],
  ["a date that does not exist", [{ dataset: "totals", date: "2026-02-30" }], /2026-02-30 does not exist/],
  ["an unknown mode", [{ dataset: "totals", date: "2026-01-01", mode: 7 }], /mode must be one of .*got 7/],
  ["a path as dataset", [{ dataset: "../totals", date: "2026-01-01" }], /dataset must be .*\.\.\/totals/],
  ["a text without end", [{ dataset: "x".repeat(100_000), date: "2026-01-01" }], /dataset must be /],
])("a run of %s fails at once as a malformed request", async (_, args, message) => {
  const { result, status, tookMs } = await outcomeOf(...args);
  expect(status).toBe("FAILED");
  expect(result).toBeInstanceOf(ApplicationFailure);
  expect(result).toMatchObject({ type: "bad-request", nonRetryable: true, message: expect.stringMatching(message) });
  expect(tookMs).toBeLessThan(5_000);
});

test("a dataset that no definition has fails the run at once, and its date is found by it all the same", async () => {
  const { result, status, searchAttributes } = await outcomeOf({ dataset: "absent", date: "2026-01-01" });
  expect(status).toBe("FAILED");
  expect(result).toMatchObject({ type: "unknown-dataset", message: expect.stringContaining("no dataset absent") });
  expect(searchAttributes).toMatchObject({ AnalysisDataset: ["absent"], AnalysisDate: ["2026-01-01"] });
});

test("failing checks fail the run and submit alike, with the checks and the staged result", async () => {
  const { result } = await outcomeOf({ dataset: "refused", date: "2026-01-01" });
  const details = { checks: [{ name: "row count", passed: false }], stagedKey: expect.stringMatching(/^_staging\//) };
  expect(result).toMatchObject({ type: "checks-failed", details: [details] });
  const { status, err } = await service.run("cli", ["submit", "refused", "2026-01-01", "--json"]);
  expect(status).toBe(13);
  expect(JSON.parse(err)).toMatchObject({ error: { code: "checks-failed", ...details } });
});
