import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createService, eventually, manyRowsCsv, type Service, slowFields, smallCsv } from "../../support/service.ts";

let service: Service;

beforeAll(async () => {
  service = await createService();
  await service.define("totals");
  await service.define("slow", slowFields);
  await service.write("2026-01-01.csv", smallCsv);
  await service.write("2026-01-02.csv", manyRowsCsv(100_000));
});

afterAll(() => service[Symbol.asyncDispose]());

const totals = { DATASET: "totals", TARGET_DATE: "2026-01-01" };

test("a job runs the date of its environment, tells its steps, and prints the same object as run --json", async () => {
  const { status, out, err } = await service.run("job", [], totals);
  expect({ status, err }).toEqual({ status: 0, err: "inspect\nload\nanalyze\nsave\n" });
  expect(JSON.parse(out)).toMatchObject({
    ...{ dataset: "totals", date: "2026-01-01" },
    outcome: "published",
    rows: 2,
  });
  const again = await service.run("cli", ["run", "totals", "2026-01-01", "--json"]);
  expect(JSON.parse(again.out)).toEqual({ ...JSON.parse(out), outcome: "unchanged" });
});

test("a job publishes under the run id and fence that it is given, and an older fence never replaces a newer one", async () => {
  const newer = { ...totals, MODE: "force", RUN_ID: "r-1", FENCE: "2100-01-01T00:00:00.000Z" };
  const { status, out } = await service.run("job", [], newer);
  expect(status).toBe(0);
  const { outcome, manifest } = JSON.parse(out);
  expect(outcome).toBe("published");
  expect(manifest).toMatchObject({ runId: "r-1", fence: "2100-01-01T00:00:00.000Z" });
  const again = await service.run("job", [], newer);
  expect(JSON.parse(again.out)).toEqual(JSON.parse(out));
  const older = await service.run("job", [], { ...newer, RUN_ID: "r-2", FENCE: "2099-01-01T00:00:00.000Z" });
  expect(older.status).toBe(0);
  expect(JSON.parse(older.out)).toMatchObject({ outcome: "superseded", manifest: { runId: "r-1" } });
});

test("a job that was killed after its commit is completed by its next attempt, and by whoever finds it published", async () => {
  const env = { ...totals, MODE: "force", RUN_ID: "r-3", FENCE: "2101-01-01T00:00:00.000Z" };
  const { manifest } = JSON.parse((await service.run("job", [], env)).out);
  const pointer = "totals/2026-01-01/manifest.json";
  const staged = "_staging/r-3/token/result.parquet";
  // Its next attempt removes what it has staged; another run leaves that to the sweep.
  for (const [next, left] of [
    [env, []],
    [totals, [staged]],
  ] as const) {
    await rm(join(service.store, pointer));
    await service.write(`../store/${staged}`, "left by a killed attempt");
    expect((await service.run("job", [], next)).status).toBe(0);
    expect(await service.json(pointer)).toEqual(manifest);
    expect((await service.stored()).filter((path) => path.startsWith("_staging/"))).toEqual(left);
  }
  await rm(join(service.store, "_staging"), { recursive: true });
});

test.each([
  ["no environment", {}, 2, "bad-request"],
  ["a malformed date", { ...totals, TARGET_DATE: "2026-02-30" }, 2, "bad-request"],
  ["a malformed fence", { ...totals, FENCE: "today" }, 2, "bad-request"],
  ["an unknown dataset", { ...totals, DATASET: "absent" }, 10, "unknown-dataset"],
  ["a date without data", { ...totals, TARGET_DATE: "2026-01-31" }, 11, "input-missing"],
  ["a store that cannot be written", { ...totals, STORE_URL: "file:/dev/null/x" }, 22, "store-unavailable"],
] as const)(
  "a job with %s ends with the documented status and one JSON object as its last words",
  async (_, env, exit, code) => {
    const { status, out, err } = await service.run("job", [], env);
    expect({ status, out }).toEqual({ status: exit, out: "" });
    expect(JSON.parse(err.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ error: { code } });
    expect(err).not.toMatch(/^ {4}at /m);
  },
);

test("a job that is asked to end, as an evicted pod is, ends its calculation and says so by its status", async () => {
  const job = service.start("job", [], { DATASET: "slow", TARGET_DATE: "2026-01-02" });
  await eventually(async () => (await service.calculations()).length === 1);
  job.kill("SIGTERM");
  const { status, err } = await job.ended;
  expect(status).toBe(143);
  expect(JSON.parse(err.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ error: { code: "stopped" } });
  expect(await service.processes()).toEqual([]);
  expect(await service.scratch()).toEqual([]);
  expect((await service.stored()).filter((path) => path.startsWith("slow/") || path.startsWith("_staging/"))).toEqual(
    [],
  );
});
