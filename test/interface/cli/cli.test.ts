import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createService, type Ended, type Service } from "../../support/service.ts";

let service: Service;
beforeAll(async () => {
  service = await createService();
  await service.write("in/2026-01-01.csv", "category,value\nb,2\na,1\na,3\n");
  await service.write("in/2026-01-02.csv", "category\na\n");
  await service.write("in/2026-01-03.csv", "category,value\na,x\n");
  await service.write("in/2026-01-04.csv", "");
  await service.write("in/2026-01-05.csv", "category,value\n,1\n");
  const source = `{ uri: "file:./in/{date}.csv" }`;
  await service.define("good", { source });
  await service.define("strict", { source, checks: `[{ kind: "row-count", on: "result", min: 5 }]` });
  await service.define("panics", {
    source,
    analyze: `(rows) => rows.select(pl.col("category"), pl.col("value").cast(pl.Decimal(5, 10)).alias("total"))`,
  });
  const many = `pl.select(pl.intRange({ start: 0, end: 20_000 }).alias("i")).lazy()`;
  const pairs = `${many}.join(${many}.withColumnRenamed("i", "j"), { how: "cross" } as never)`;
  const heavy = `(rows) => rows.limit(1).join(${pairs}, { how: "cross" } as never).select(pl.col("i").add(pl.col("j")).cast(pl.String).alias("category"), pl.col("value").alias("total")).sort("category")`;
  await service.define("hungry", { source, analyze: heavy, compute: "{ memoryMiB: 400 }" });
  await service.define("slow", { source, analyze: heavy, compute: "{ timeLimitSeconds: 1, memoryMiB: 8000 }" });
});
afterAll(() => service[Symbol.asyncDispose]());

/** One JSON object, and nothing else, on the stream. */
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

function expectFailure(ended: Ended, status: number, code: string): void {
  expect([ended.status, ended.out]).toEqual([status, ""]);
  const { error } = json(ended.err) as { readonly error: { readonly code: string; readonly message: string } };
  expect(error.code).toBe(code);
  expect(error.message).not.toMatch(/\n\s+at /);
}

describe("the command line", () => {
  it("runs a date, and prints one JSON object", async () => {
    const { status, out } = await service.run("cli", ["run", "good", "2026-01-01", "--json"]);
    expect(status).toBe(0);
    expect(json(out)).toMatchObject({ dataset: "good", date: "2026-01-01", outcome: "published", rows: 2 });
    expect(json(out)["manifest"]).toMatchObject({ rowsRead: 3, result: { rows: 2 } });
    const again = await service.run("cli", ["run", "good", "2026-01-01"]);
    expect(again.out).toMatch(
      /^good 2026-01-01 unchanged: the published result was made from the same input and definition/,
    );
  });

  it("shows what is published, as JSON and for people", async () => {
    const shown = await service.run("cli", ["show", "good", "2026-01-01", "--json"]);
    expect(json(shown.out)).toMatchObject({
      dataset: "good",
      date: "2026-01-01",
      manifest: { rowsRead: 3 },
      rows: [
        { category: "a", total: 4 },
        { category: "b", total: 2 },
      ],
    });
    const table = await service.run("cli", ["show", "good", "2026-01-01"]);
    expect(table.out).toMatch(/│ a +│ +4 │/);
  });

  it("lists the definitions", async () => {
    const { out } = await service.run("cli", ["datasets", "--json"]);
    const ids = (JSON.parse(out) as { readonly id: string }[]).map(({ id }) => id);
    expect(ids).toEqual(["good", "hungry", "panics", "slow", "strict"]);
  });

  it.each([
    ["an unknown dataset", ["run", "goood", "2026-01-01"], 10, "unknown-dataset"],
    ["a malformed dataset", ["run", "../good", "2026-01-01"], 2, "bad-request"],
    ["a malformed date", ["run", "good", "2026-1-1"], 2, "bad-request"],
    ["an impossible date", ["run", "good", "2026-02-30"], 2, "bad-request"],
    ["an unknown mode", ["run", "good", "2026-01-01", "--mode", "often"], 2, "bad-request"],
    ["a date without data", ["run", "good", "2026-03-01"], 11, "input-missing"],
    ["a missing column", ["run", "good", "2026-01-02"], 12, "input-invalid"],
    ["a wrong type", ["run", "good", "2026-01-03"], 12, "input-invalid"],
    ["an empty file", ["run", "good", "2026-01-04"], 12, "input-invalid"],
    ["a missing value", ["run", "good", "2026-01-05"], 12, "input-invalid"],
    ["a failed check", ["run", "strict", "2026-01-01"], 13, "checks-failed"],
    ["a panic", ["run", "panics", "2026-01-01"], 32, "crashed"],
    ["too much memory", ["run", "hungry", "2026-01-01"], 30, "out-of-memory"],
    ["too much time", ["run", "slow", "2026-01-01"], 31, "timed-out"],
    ["nothing published", ["show", "good", "2026-03-01"], 11, "input-missing"],
    ["an unknown command", ["rnu", "good", "2026-01-01"], 2, "bad-request"],
    ["an unknown option", ["run", "good", "2026-01-01", "--fast"], 2, "bad-request"],
    ["a missing argument", ["run", "good"], 2, "bad-request"],
    ["a Temporal server that is away", ["submit", "good", "2026-01-01"], 22, "store-unavailable"],
  ])("tells %s by status and code", async (_, args, status, code) => {
    const before = await service.stored();
    const ended = await service.run("cli", [...args, "--json"], { TEMPORAL_ADDRESS: "127.0.0.1:1" });
    expectFailure(ended, status, code);
    const people = await service.run("cli", args, { TEMPORAL_ADDRESS: "127.0.0.1:1" });
    expect([people.status, people.err.startsWith(`${code}: `)]).toEqual([status, true]);
    const left = (await service.stored()).filter((path) => !before.includes(path));
    expect(left.every((path) => code === "checks-failed" && path.startsWith("_staging/"))).toBe(true);
    expect(await service.calculations()).toEqual([]);
  });

  it("still runs after all that", async () => {
    const { status, out } = await service.run("cli", ["run", "good", "2026-01-01", "--mode", "force"]);
    expect([status, out.includes("published")]).toEqual([0, true]);
  });

  it.each([
    ["a store that cannot be written", { STORE_URL: "file:/dev/null/x" }, 22, "store-unavailable"],
    ["a setting that is wrong", { RESULT_KEY: "x", WARM_CHILDREN: "-1" }, 2, "bad-request"],
    ["one key for two datasets", { RESULT_KEY: "{date}/result.parquet" }, 2, "bad-request"],
  ])("refuses %s", async (_, env, status, code) => {
    expectFailure(await service.run("cli", ["run", "good", "2026-01-01", "--json"], env), status, code);
  });

  it("publishes under the founding key where there is one dataset", async () => {
    await using single = await createService({ RESULT_KEY: "{date}/result.parquet" });
    await single.write("in/2026-01-01.csv", "category,value\na,1\n");
    await single.define("good", { source: `{ uri: "file:./in/{date}.csv" }` });
    expect((await single.run("cli", ["run", "good", "2026-01-01"])).status).toBe(0);
    expect(await single.stored()).toContain("2026-01-01/result.parquet");
  });

  it("names the file of a definition with a syntax error, and runs nothing", async () => {
    await using broken = await createService();
    await broken.define("good");
    await broken.write("bad.ts", "export default {\n");
    const ended = await broken.run("cli", ["datasets", "--json"]);
    expectFailure(ended, 2, "bad-request");
    expect(ended.err).toContain("bad.ts");
  });
});

describe("the job", () => {
  it("runs what its environment says, under the run id and fence that it says", async () => {
    const env = {
      DATASET: "good",
      TARGET_DATE: "2026-01-01",
      MODE: "force",
      RUN_ID: "r-1",
      FENCE: "2100-01-01T00:00:00.000Z",
    };
    const { status, out } = await service.run("job", [], env);
    expect(status).toBe(0);
    expect(json(out)).toMatchObject({
      outcome: "published",
      manifest: { runId: "r-1", fence: "2100-01-01T00:00:00.000Z" },
    });
    const older = await service.run("job", [], { ...env, RUN_ID: "r-2", FENCE: "2099-01-01T00:00:00.000Z" });
    expect([older.status, json(older.out)["outcome"]]).toEqual([0, "superseded"]);
  });

  it("ends with the documented status", async () => {
    const ended = await service.run("job", [], { DATASET: "good", TARGET_DATE: "2026-02-30" });
    expect(ended.status).toBe(2);
    expect(ended.err).toContain('"code":"bad-request"');
    expect((await service.run("job")).status).toBe(2);
  });
});
