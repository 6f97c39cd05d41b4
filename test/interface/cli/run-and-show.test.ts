import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createService, eventually, manyRowsCsv, type Service, slowFields, smallCsv } from "../../support/service.ts";

const beyondDoubles = "9007199254740993";
let service: Service;

beforeAll(async () => {
  service = await createService();
  await service.define("totals", { title: '"Totals by category"', schedule: '"0 6 * * *"' });
  await service.define("slow", slowFields);
  await service.write("2026-01-01.csv", smallCsv);
  await service.write("2026-01-02.csv", `category,value\na,${beyondDoubles}\n`);
  await service.write("2026-01-03.csv", manyRowsCsv(100_000));
});

afterAll(() => service[Symbol.asyncDispose]());

test("run publishes and says so in one line, then finds nothing to do, and --mode decides", async () => {
  const run = (...args: string[]) => service.run("cli", ["run", "totals", "2026-01-01", ...args]);
  const line = (text: string) => ({ status: 0, err: "", out: `totals 2026-01-01 ${text}\n` });
  const where = "(2 rows, totals/2026-01-01/result.parquet)";
  expect(await run()).toMatchObject(line(`published ${where}`));
  expect(await run()).toMatchObject(
    line(`unchanged: the published result was made from the same input and definition ${where}`),
  );
  expect(await run("--mode", "missing")).toMatchObject(line(`skipped: a result is published already ${where}`));
  expect(await run("--mode", "force")).toMatchObject(line(`published ${where}`));
  const manifests = (await service.stored()).filter((path) => path.includes("/_manifests/"));
  expect(manifests).toHaveLength(2);
});

test("run --json prints one object with the outcome, the number of rows and the manifest that is stored", async () => {
  const { status, err, out } = await service.run("cli", ["run", "totals", "2026-01-02", "--json"]);
  expect({ status, err }).toEqual({ status: 0, err: "" });
  expect(out.trimEnd().split("\n")).toHaveLength(1);
  const output = JSON.parse(out);
  expect(output).toMatchObject({ dataset: "totals", date: "2026-01-02", outcome: "published", rows: 1 });
  expect(output.manifest).toEqual(await service.json("totals/2026-01-02/manifest.json"));
  expect(output.manifest).toMatchObject({ rowsRead: 1, result: { rows: 1, key: "totals/2026-01-02/result.parquet" } });
});

test("show prints the table and how the result came to be, in the width of 100 that a pipe has", async () => {
  await service.run("cli", ["run", "totals", "2026-01-01"]);
  const { status, err, out } = await service.run("cli", ["show", "totals", "2026-01-01"]);
  expect({ status, err }).toEqual({ status: 0, err: "" });
  const lines = out.split("\n");
  expect(lines[0]).toBe("totals 2026-01-01: 2 rows from 3 rows of input");
  expect(lines.slice(1, 7)).toEqual([
    "┌──────────┬───────┐",
    "│ category │ total │",
    "├──────────┼───────┤",
    "│ a        │     4 │",
    "│ b        │     2 │",
    "└──────────┴───────┘",
  ]);
  expect(out).toContain("check     row count: 2 rows, expected at least 1");
  expect(Math.max(...lines.filter((line) => /[│┌]/.test(line)).map((line) => line.length))).toBeLessThanOrEqual(100);
});

test("show --limit says what it leaves out", async () => {
  await service.run("cli", ["run", "totals", "2026-01-01"]);
  const { out } = await service.run("cli", ["show", "totals", "2026-01-01", "--limit", "1"]);
  expect(out).toContain("│ a        │     4 │");
  expect(out).not.toContain("│ b ");
  expect(out).toContain("… and 1 more row: --limit shows them");
});

test("show --json has rows as objects, and integers with all their digits", async () => {
  await service.run("cli", ["run", "totals", "2026-01-01"]);
  await service.run("cli", ["run", "totals", "2026-01-02"]);
  const small = await service.run("cli", ["show", "totals", "2026-01-01", "--json"]);
  expect(JSON.parse(small.out)).toMatchObject({
    dataset: "totals",
    date: "2026-01-01",
    rows: [
      { category: "a", total: 4 },
      { category: "b", total: 2 },
    ],
    manifest: { result: { rows: 2 } },
  });
  const large = await service.run("cli", ["show", "totals", "2026-01-02", "--json"]);
  expect(large.out).toContain(`"total":${beyondDoubles}`);
});

test("datasets lists the definitions, --json with source and digest", async () => {
  const table = await service.run("cli", ["datasets"]);
  expect(table).toMatchObject({ status: 0, err: "" });
  expect(table.out).toMatch(/│ totals │ Totals by category +│ UTC +│ 0 6 \* \* \* │/);
  const json = await service.run("cli", ["datasets", "--json"]);
  const [slow, totals] = JSON.parse(json.out);
  expect(slow).toMatchObject({ id: "slow", schedule: null });
  expect(totals).toEqual({
    id: "totals",
    title: "Totals by category",
    source: "file:./{date}.csv",
    timeZone: "UTC",
    schedule: "0 6 * * *",
    file: `${service.datasets}/totals.ts`,
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test("a stream that is no terminal gets no progress and no control characters", async () => {
  for (const args of [
    ["run", "totals", "2026-01-01", "--mode", "force"],
    ["show", "totals", "2026-01-01"],
    ["datasets"],
    ["--help"],
  ]) {
    const { err, out } = await service.run("cli", args);
    expect(err).toBe("");
    expect(out).not.toContain("\u001b");
  }
});

test("help names every command, and --version the version of the package", async () => {
  const { out } = await service.run("cli", ["--help"]);
  for (const command of ["run", "submit", "show", "datasets", "doctor", "schedules", "setup", "sweep", "dev", "demo"]) {
    expect(out).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
  }
  const { version } = JSON.parse(await readFile(new URL("../../../package.json", import.meta.url), "utf8"));
  expect(await service.run("cli", ["--version"])).toMatchObject({ status: 0, out: `${version}\n` });
});

test("a reader that leaves before the end, such as head, is no failure", async () => {
  const main = fileURLToPath(new URL("../../../src/main-cli.ts", import.meta.url));
  const child = spawn(process.execPath, [main, "datasets"], { env: service.env, stdio: ["ignore", "pipe", "pipe"] });
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  child.stdout.destroy();
  const status = await new Promise((resolve) => child.once("close", resolve));
  expect({ status, err }).toEqual({ status: 0, err: "" });
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)(
  "a run that %s stops ends its calculation, publishes nothing and leaves nothing",
  async (signal, status) => {
    const before = await service.stored();
    const run = service.start("cli", ["run", "slow", "2026-01-03"]);
    await eventually(async () => (await service.calculations()).length === 1);
    run.kill(signal);
    expect(await run.ended).toMatchObject({ status, out: "", err: `stopped: asked to end by ${signal}\n` });
    expect(await service.processes()).toEqual([]);
    expect(await service.stored()).toEqual(before);
    expect(await service.scratch()).toEqual([]);
  },
);
