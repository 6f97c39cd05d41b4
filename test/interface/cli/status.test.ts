import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { WorkflowStartOptions } from "@temporalio/client";
import { defineSearchAttributeKey } from "@temporalio/common";
import { expect, inject, test } from "vitest";
import { parseDatasetId } from "../../../src/domain/value-object/dataset-id.ts";
import { parseTargetDate, type TargetDate } from "../../../src/domain/value-object/target-date.ts";
import { startDevServer } from "../../../src/infrastructure/temporal/dev-server.ts";
import { createTemporalRunOrchestrator } from "../../../src/infrastructure/temporal/temporal-run-orchestrator.ts";
import { s3Environment } from "../../support/s3.ts";
import { createService, createServiceWithTemporal, eventually, type Service, smallCsv } from "../../support/service.ts";
import { searchAttributes, startTestServer, testBinary } from "../../support/temporal.ts";

const nobody = { TEMPORAL_ADDRESS: "127.0.0.1:1" };

async function publish(service: Service, ...dates: string[]): Promise<void> {
  for (const date of dates) {
    await service.write(`${date}.csv`, smallCsv);
    expect(await service.run("cli", ["run", "totals", date])).toMatchObject({ status: 0 });
  }
}

test("status shows a calendar, and says in one line that Temporal could not be asked", async () => {
  await using service = await createService(nobody);
  await service.define("totals");
  await publish(service, "2026-01-01", "2026-01-03");
  const { status, out, err } = await service.run("cli", ["status"]);
  expect({ status, err }).toEqual({ status: 0, err: "" });
  expect(out.split("\n")).toEqual([
    "totals: A dataset of a test",
    "           1   5    10   15   20   25   30",
    "  2026-01  #.#",
    "3 days: 2 published, 1 missing",
    "no schedule and no deadline: no date is waited for",
    expect.stringMatching(/^last success: 2026-01-03, at 20.*Z$/),
    "",
    "# published   r running   x failed   ! late   . missing   - not due yet",
    expect.stringMatching(/^running and failed are not known: no Temporal server answers at 127\.0\.0\.1:1 /),
    "",
  ]);
  expect(
    out
      .split("\n")
      .slice(0, 8)
      .every((line) => line.length <= 80),
  ).toBe(true);
});

test("status says that today is late though an old day was filled in", async () => {
  await using service = await createService(nobody);
  await service.define("totals", { schedule: '"0 0 * * *"', deadline: '"00:00"', lagDays: "1" });
  await publish(service, "2026-01-01");
  const { out } = await service.run("cli", ["status", "totals", "--json", "--without-temporal"]);
  const report = JSON.parse(out);
  const yesterday = new Date(Date.parse(report.at) - 86_400_000).toISOString().slice(0, 10);
  expect(report.temporal).toEqual({ asked: false, message: null });
  expect(report.datasets).toMatchObject([
    {
      dataset: "totals",
      from: "2026-01-01",
      to: yesterday,
      counts: { published: 1, late: 1 },
      freshness: { state: "late", date: yesterday },
    },
  ]);
  expect(report.datasets[0].days.at(-1)).toEqual({ date: yesterday, state: "late", result: null, run: null });
});

test.each([
  ["in a folder", () => ({})],
  ["on S3", () => s3Environment(inject("s3"))],
])("status --rebuild makes the index anew, byte for byte, %s", async (_, store) => {
  await using service = await createService({ ...nobody, ...store() });
  await service.define("totals");
  await publish(service, "2026-01-01", "2026-01-02");
  const rebuild = async () => {
    const { status, out } = await service.run("cli", ["status", "totals", "--rebuild", "--without-temporal"]);
    expect(status).toBe(0);
    return out.split("\n")[0];
  };
  expect(await rebuild()).toBe("totals: 2 results, the index had no fault");
  if (service.env["STORE_URL"]?.startsWith("s3:")) return;
  const path = join(service.store, "_index/totals/2026.jsonl");
  const whole = await readFile(path, "utf8");
  await writeFile(path, whole.split("\n").toSpliced(1, 1).join("\n"));
  expect(await rebuild()).toBe("totals: 2 results, 1 entry repaired");
  expect(await readFile(path, "utf8")).toBe(whole);
});

test("history tells every result of a date, the newest first, and what changed", async () => {
  await using service = await createService(nobody);
  await service.define("totals");
  await publish(service, "2026-01-01");
  await service.write("2026-01-01.csv", `${smallCsv}c,4\n`);
  await service.run("cli", ["run", "totals", "2026-01-01"]);
  await service.run("cli", ["run", "totals", "2026-01-01", "--mode", "force"]);
  const { status, out } = await service.run("cli", ["history", "totals", "2026-01-01"]);
  expect(status).toBe(0);
  const [head, ...table] = out.trimEnd().split("\n");
  expect(head).toBe("totals 2026-01-01: 3 results");
  const cells = table.filter((line) => line.startsWith("│")).map((line) => line.split("│").map((cell) => cell.trim()));
  expect(cells.map((row) => [row[2], row[3], row[6]])).toEqual([
    ["", "rows", "changed"],
    ["live", "3", "nothing"],
    ["replaced", "3", "inputs"],
    ["replaced", "2", "first"],
  ]);
  const json = await service.run("cli", ["history", "totals", "2026-01-01", "--limit", "1", "--json"]);
  expect(JSON.parse(json.out)).toMatchObject({
    dataset: "totals",
    date: "2026-01-01",
    results: [{ outcome: "live", rows: 3, inputs: "same", definition: "same" }],
    more: true,
  });
});

test.each([
  [["status", "--from", "2026-02-02", "--to", "2026-02-01"], 2, "from must not be after to"],
  [["status", "--from", "1990-01-01"], 2, "a range must have at most 7310 days"],
  [["status", "--to", ""], 2, 'to: date must have the form YYYY-MM-DD, got ""'],
  [["status", "nope"], 10, "there is no dataset nope"],
  [["status", "nope", "--rebuild"], 10, "there is no dataset nope"],
  [["status", "--watch", "0"], 2, "expected a number of seconds, 1 or more"],
  [["status", "nope", "--watch"], 10, "there is no dataset nope"],
  [["history", "totals", "2026-01-01"], 11, "nothing is published for totals 2026-01-01"],
  [["history", "totals", "2026-01-01", "--limit", "0"], 2, "limit must be a number of results"],
  [["history", "totals", "2026-13-01"], 2, "date must be a day of the calendar"],
])("%j ends with %i", async (args, status, message) => {
  await using service = await createService(nobody);
  await service.define("totals");
  const ended = await service.run("cli", args);
  expect(ended).toMatchObject({ status, out: "" });
  expect(ended.err).toContain(message);
  expect(ended.err.trimEnd().split("\n")).toHaveLength(1);
});

test("status shows what runs and what failed, as Temporal knows it", { timeout: 180_000 }, async () => {
  await using service = await createServiceWithTemporal(inject("temporalAddress"));
  await service.define("totals", { checks: "[rowCount({ min: 2 })]" });
  const { workflow } = service.client;
  const run = (date: string) => {
    const workflowId = `analysis/totals/${date}`;
    return workflow.execute("runAnalysis", { workflowId, taskQueue: "analysis", args: [{ dataset: "totals", date }] });
  };
  await service.write("2026-01-01.csv", smallCsv);
  for (const date of ["2026-01-02", "2026-01-03"]) await service.write(`${date}.csv`, "category,value\na,1\n");
  await service.worker();
  await run("2026-01-01");
  await expect(run("2026-01-02")).rejects.toThrow();
  await expect(run("2026-01-03")).rejects.toThrow();
  // A failure that was made good.
  await service.write("2026-01-02.csv", smallCsv);
  await run("2026-01-02");
  // Nobody carries these out: one goes on, one runs out of time, and one is stopped on purpose.
  const idle = (date: string, limit: Partial<WorkflowStartOptions> = {}) =>
    workflow.start("runAnalysis", {
      ...{ workflowId: `analysis/totals/${date}`, taskQueue: "nobody", args: [{ dataset: "totals", date }] },
      typedSearchAttributes: [
        { key: defineSearchAttributeKey("AnalysisDataset", "KEYWORD"), value: "totals" },
        { key: defineSearchAttributeKey("AnalysisDate", "KEYWORD"), value: date },
      ],
      ...limit,
    });
  await idle("2026-01-04");
  await idle("2026-01-05", { workflowExecutionTimeout: "1 second" });
  await (await idle("2026-01-06")).terminate();
  const orchestrator = createTemporalRunOrchestrator(async () => service.client, "analysis");
  const [first, last] = ["2026-01-01", "2026-01-06"].map(parseTargetDate) as [TargetDate, TargetDate];
  await eventually(async () => {
    const seen = await orchestrator.statesOf(parseDatasetId("totals"), first, last);
    const states = seen.map(({ date, status }) => `${date} ${status}`).toSorted();
    return states.join() === "2026-01-03 failed,2026-01-04 running,2026-01-05 failed";
  }, 30_000);
  const { status, out } = await service.run("cli", ["status", "totals", "--from", first, "--to", last]);
  expect(status).toBe(0);
  expect(out).toContain("  2026-01  ##xrx.\n6 days: 2 published, 1 running, 2 failed, 1 missing\n");
  expect(out).toMatch(/^failed: analysis\/totals\/2026-01-03, run [0-9a-f-]{36}$/m);
  expect(out).not.toContain("are not known");

  const planned = await service.run("cli", ["plan", "totals", first, last, "--json"]);
  const plan = JSON.parse(planned.out);
  expect(plan.temporal).toEqual({ asked: true, message: null });
  const reasons = plan.dates.map(({ reason }: { readonly reason: string }) => reason);
  expect(reasons).toEqual(["unchanged", "unchanged", "failed", "no-input", "no-input", "no-input"]);
  expect(plan.dates[2].failure).toMatchObject({ code: "checks-failed" });
});

test("status --watch tells what changes, goes on when Temporal goes away and comes back, and ends well with Ctrl-C", {
  timeout: 180_000,
}, async () => {
  const server = await startTestServer();
  const port = Number(server.address.split(":")[1]);
  await using service = await createService({ TEMPORAL_ADDRESS: server.address });
  await service.define("totals");
  await publish(service, "2026-01-01");
  const watch = service.start("cli", ["status", "--watch", "1"]);
  await watch.wrote("totals: 1 day: 1 published");
  expect(watch.out()).not.toContain("are not known");
  await server.stop();
  await watch.wrote("running and failed are not known: ");
  await publish(service, "2026-01-02");
  await watch.wrote("totals: 2 days: 2 published");
  const again = await startDevServer({ binary: await testBinary(), port, uiPort: 0, searchAttributes });
  try {
    await publish(service, "2026-01-03");
    await eventually(() => {
      const last =
        watch
          .out()
          .split(/^20.*Z$/m)
          .at(-1) ?? "";
      return last.includes("3 days") && !last.includes("are not known");
    }, 30_000);
  } finally {
    await again.stop();
  }
  watch.kill("SIGINT");
  expect(await watch.ended).toMatchObject({ status: 0, err: "" });
});
