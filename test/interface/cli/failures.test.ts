import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createService, type Ended, manyRowsCsv, type Service, slowFields, smallCsv } from "../../support/service.ts";

const stack = /^ {4}at /m;
let service: Service;

beforeAll(async () => {
  service = await createService();
  await service.define("totals");
  await service.define("refused", { checks: '[rowCount({ min: 1 }), rowCount({ on: "rows", min: 4 })]' });
  await service.define("crossing", {
    ...slowFields,
    analyze: '(rows) => rows.join(rows.select(pl.col("value").alias("other")), { how: "cross" }).sort("other")',
    sortBy: '["other"]',
    compute: "{ memoryMiB: 400 }",
  });
  await service.define("lasting", { ...slowFields, compute: "{ timeLimitSeconds: 0.5 }" });
  await service.define("panicking", {
    analyze: '(rows) => rows.select(pl.col("value").cast(pl.Decimal(60, 70)).sum().alias("total"))',
    sortBy: "[]",
  });
  await service.define("throwing", { analyze: '() => { throw new Error("not today"); }' });
  await service.write("2026-01-01.csv", smallCsv);
  await service.write("2026-01-02.csv", "category,amount\na,1\n");
  await service.write("2026-01-03.csv", "category,value\na,1\nb,one\n");
  await service.write("2026-01-04.csv", "");
  await service.write("2026-01-05.csv", "category,value\n,1\n");
  await service.write("2026-01-06.csv", manyRowsCsv(20_000));
});

afterAll(() => service[Symbol.asyncDispose]());

afterEach(async () => {
  expect(await service.processes()).toEqual([]);
  expect(await service.scratch()).toEqual([]);
});

/** One sentence on standard error, nothing on standard output, no stack. */
function expectFailure({ status, out, err }: Ended, exit: number, code: string, message: RegExp): void {
  expect({ status, out }, err).toEqual({ status: exit, out: "" });
  expect(err).not.toMatch(stack);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
  expect(err.startsWith(`${code}: `), err).toBe(true);
  expect(err).toMatch(message);
}

test.each([
  ["an unknown dataset", ["absent", "2026-01-01"], 10, "unknown-dataset", /no dataset absent .*known are .*totals/],
  ["a malformed dataset", ["../totals", "2026-01-01"], 2, "bad-request", /dataset must be .*"\.\.\/totals"/],
  ["a malformed date", ["totals", "2026-1-1"], 2, "bad-request", /date must have the form YYYY-MM-DD, got "2026-1-1"/],
  ["a date that does not exist", ["totals", "2026-02-30"], 2, "bad-request", /2026-02-30 does not exist/],
  ["a date out of range", ["totals", "1899-12-31"], 2, "bad-request", /from 1900-01-01 to 2199-12-31/],
  [
    "an unknown mode",
    ["totals", "2026-01-01", "--mode", "now"],
    2,
    "bad-request",
    /changed, missing, force, got "now"/,
  ],
  [
    "a date without data",
    ["totals", "2026-01-31"],
    11,
    "input-missing",
    /totals 2026-01-31: .*2026-01-31\.csv does not/,
  ],
  ["a missing column", ["totals", "2026-01-02"], 12, "input-invalid", /2026-01-02\.csv lacks value .*amount/],
  ["a wrong type", ["totals", "2026-01-03"], 12, "input-invalid", /2026-01-03\.csv .*one/],
  ["an empty file", ["totals", "2026-01-04"], 12, "input-invalid", /2026-01-04\.csv/],
  ["a missing value", ["totals", "2026-01-05"], 12, "input-invalid", /category is missing, .*in 1 row/],
  ["an analysis that throws", ["throwing", "2026-01-01"], 32, "crashed", /analyze of throwing threw: not today/],
  ["a panic of the engine", ["panicking", "2026-01-01"], 32, "crashed", /panicking 2026-01-01 crashed: .*SIGABRT/],
  ["too much memory", ["crossing", "2026-01-06"], 30, "out-of-memory", /crossing 2026-01-06 .*memory limit of 400 MiB/],
  ["too much time", ["lasting", "2026-01-06"], 31, "timed-out", /lasting 2026-01-06 ran past its time limit of 0.5 s/],
] as const)(
  "%s: run ends with its own status and one sentence, and publishes nothing",
  async (_, args, exit, code, message) => {
    const before = await service.stored();
    expectFailure(await service.run("cli", ["run", ...args]), exit, code, message);
    expect(await service.stored()).toEqual(before);
  },
);

test.each([
  ["absent", "2026-01-01", 10, "unknown-dataset"],
  ["totals", "2026-02-30", 2, "bad-request"],
  ["totals", "2026-01-31", 11, "input-missing"],
  ["totals", "2026-01-03", 12, "input-invalid"],
  ["panicking", "2026-01-01", 32, "crashed"],
] as const)(
  "run --json %s %s writes the failure as one JSON object to standard error",
  async (dataset, date, exit, code) => {
    const { status, out, err } = await service.run("cli", ["run", dataset, date, "--json"]);
    expect({ status, out }).toEqual({ status: exit, out: "" });
    expect(JSON.parse(err)).toMatchObject({ error: { code, message: expect.stringMatching(/./) } });
    expect(err.trimEnd()).not.toContain("\n");
  },
);

test("failing checks are told with what was seen, and the refused result stays staged for inspection", async () => {
  const { status, err } = await service.run("cli", ["run", "refused", "2026-01-01", "--json"]);
  expect(status).toBe(13);
  const { error } = JSON.parse(err);
  expect(error).toMatchObject({
    code: "checks-failed",
    message: expect.stringMatching(/^refused 2026-01-01 failed its checks: row count: 3 rows, expected at least 4/),
    checks: [{ name: "row count", on: "rows", passed: false, observed: "3 rows", expected: "at least 4" }],
  });
  expect(await service.stored()).toEqual([error.stagedKey]);
  const show = await service.run("cli", ["show", "refused", "2026-01-01"]);
  expectFailure(show, 11, "input-missing", /nothing is published for refused 2026-01-01: run it first/);
});

test("after all of these the next run is published", async () => {
  expect(await service.run("cli", ["run", "totals", "2026-01-01"])).toMatchObject({ status: 0, err: "" });
});

test.each([
  ["no command", [], /expected a command: run, submit, plan, backfill, cancel, show, .*--help/],
  ["an unknown command", ["shw"], /unknown command 'shw'/],
  ["an unknown option", ["run", "totals", "2026-01-01", "--fast"], /unknown option '--fast'/],
  ["a missing argument", ["run", "totals"], /missing required argument 'date'/],
  ["an argument too many", ["run", "totals", "2026-01-01", "2026-01-02"], /too many arguments/],
  ["a limit that is no number", ["show", "totals", "2026-01-01", "--limit", "ten"], /--limit .*'ten' is invalid/],
] as const)("%s is a malformed request", async (_, args, message) => {
  const { status, out, err } = await service.run("cli", args);
  expect({ status, out }).toEqual({ status: 2, out: "" });
  expect(err).toMatch(message);
  expect(err).not.toMatch(stack);
  const json = await service.run("cli", [...args, "--json"]);
  expect(json.status).toBe(2);
  expect(JSON.parse(json.err)).toMatchObject({ error: { code: "bad-request" } });
});

test("a server that is away is told by submit within seconds", async () => {
  const begin = performance.now();
  const submit = await service.run("cli", ["submit", "totals", "2026-01-01"], { TEMPORAL_ADDRESS: "127.0.0.1:1" });
  expectFailure(submit, 22, "store-unavailable", /no Temporal server answers at 127\.0\.0\.1:1 .*TEMPORAL_ADDRESS/);
  expect(performance.now() - begin).toBeLessThan(8_000);
});

test("submit refuses before it asks the server", async () => {
  const away = { TEMPORAL_ADDRESS: "127.0.0.1:1" };
  const unknown = await service.run("cli", ["submit", "absent", "2026-01-01"], away);
  expectFailure(unknown, 10, "unknown-dataset", /absent/);
  expectFailure(await service.run("cli", ["submit", "totals", "2026-02-30"], away), 2, "bad-request", /2026-02-30/);
});

test("a worker without a server says so and ends", async () => {
  const worker = await service.run("worker", [], { TEMPORAL_ADDRESS: "127.0.0.1:1" });
  expect(worker).toMatchObject({ status: 22, out: "" });
  expect(worker.err).toMatch(/^no Temporal server answers at 127\.0\.0\.1:1 .*\n$/);
});

test("a store that cannot be written is told by every command that needs it", async () => {
  const env = { STORE_URL: "file:/dev/null/x" };
  for (const args of [
    ["run", "totals", "2026-01-01"],
    ["show", "totals", "2026-01-01"],
  ]) {
    expectFailure(await service.run("cli", args, env), 22, "store-unavailable", /the store \/dev\/null\/x must be/);
  }
  expect(await service.run("worker", [], env)).toMatchObject({ status: 22, out: "" });
});

test("all settings that are wrong are told at once, by name", async () => {
  const env = { STORE_URL: "data", API_PORT: "many", LOG_LEVEL: "loud" };
  const { status, err } = await service.run("cli", ["run", "totals", "2026-01-01"], env);
  expect(status).toBe(2);
  expect(err).toMatch(/STORE_URL: .*"data"/);
  expect(err).toMatch(/API_PORT: .*"many"/);
  expect(err).toMatch(/LOG_LEVEL: .*"loud"/);
});

test("a definition with a fault is told by file and line or field", async () => {
  const broken = join(service.folder, "broken");
  await mkdir(broken);
  await service.write("../broken/broken.ts", 'export default {\n  id: "broken",,\n};\n');
  const syntax = await service.run("cli", ["run", "totals", "2026-01-01"], { DATASETS: broken });
  expectFailure(syntax, 2, "bad-request", /broken\/broken\.ts: cannot be loaded: .*line 2/);

  await service.write("../broken/broken.ts", 'export default { id: "broken", title: 1 };\n');
  const field = await service.run("cli", ["datasets"], { DATASETS: broken });
  expectFailure(field, 2, "bad-request", /broken\/broken\.ts: title: /);

  const absent = await service.run("cli", ["datasets"], { DATASETS: join(service.folder, "absent") });
  expectFailure(absent, 2, "bad-request", /DATASETS must be a folder of definitions/);
});

test("a RESULT_KEY without {dataset} works for one dataset and is refused for two", async () => {
  const one = await createService({ RESULT_KEY: "{date}/result.parquet" });
  try {
    await one.define("totals");
    await one.write("2026-01-01.csv", smallCsv);
    expect(await one.run("cli", ["run", "totals", "2026-01-01"])).toMatchObject({ status: 0 });
    expect((await one.stored()).filter((path) => !/_manifests|_index/.test(path))).toEqual([
      "2026-01-01/manifest.json",
      "2026-01-01/result.parquet",
    ]);
    await one.define("others");
    const two = await one.run("cli", ["run", "totals", "2026-01-01"]);
    expectFailure(two, 2, "bad-request", /RESULT_KEY .* others, totals the same key: put \{dataset\} into it/);
  } finally {
    await one[Symbol.asyncDispose]();
  }
});
