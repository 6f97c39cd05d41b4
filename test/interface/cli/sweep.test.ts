import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { expect, inject, test } from "vitest";
import { s3Environment } from "../../support/s3.ts";
import { s3ClientOf } from "../../support/s3-servers.ts";
import { createService, type Service, smallCsv } from "../../support/service.ts";

const nobody = { TEMPORAL_ADDRESS: "127.0.0.1:1" };
const nothing = { count: 0, sizeBytes: 0 };

/** A file that was last written so many hours ago. */
async function plant(path: string, hours: number, content = "12345"): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  const then = new Date(Date.now() - hours * 60 * 60_000);
  await utimes(path, then, then);
}

async function serviceWithRefusedRun(settings: NodeJS.ProcessEnv = {}): Promise<Service> {
  const service = await createService({ ...nobody, ...settings });
  await service.define("totals");
  await service.define("refused", { checks: "[rowCount({ min: 3 })]" });
  await service.write("2026-01-01.csv", smallCsv);
  expect(await service.run("cli", ["run", "totals", "2026-01-01"])).toMatchObject({ status: 0 });
  expect(await service.run("cli", ["run", "refused", "2026-01-01"])).toMatchObject({ status: 13 });
  return service;
}

test("sweep removes what is old, by a table, and keeps results, what is young and what is not the service's", async () => {
  await using service = await serviceWithRefusedRun();
  const before = await service.stored();
  await plant(join(service.store, "_staging/run-1/a/result.parquet"), 193);
  await plant(join(service.store, "_staging/run-1/b/input-1"), 193);
  await plant(join(service.folder, "tmp/polars-analysis-999999999-fetch-abc"), 193);
  await plant(join(service.folder, "tmp/polars-analysis-service/README.md"), 500);
  const foretold = await service.run("cli", ["sweep", "--without-temporal", "--dry-run"]);
  expect(foretold).toMatchObject({ status: 0, err: "" });
  expect(foretold.out.split("\n")[0]).toBe("would remove 2 leftovers older than 192 hours");
  expect(await service.stored()).toHaveLength(before.length + 2);
  const swept = await service.run("cli", ["sweep", "--without-temporal"]);
  expect(swept).toMatchObject({ status: 0, err: "" });
  expect(swept.out.trimEnd().split("\n")).toEqual([
    "removed 2 leftovers older than 192 hours",
    "┌─────────────────────────┬──────────────┬──────────────┬─────────────────┐",
    "│ left behind             │ removed      │ kept: in use │ kept: too young │",
    "├─────────────────────────┼──────────────┼──────────────┼─────────────────┤",
    expect.stringMatching(/^│ staged runs +│ 1 \(10 bytes\) │ 0 +│ 1 \(\d[\d.]* (bytes|KiB)\) +│$/),
    "│ unfinished writes       │ 0            │ 0            │ 0               │",
    "│ scratch of this machine │ 1 (5 bytes)  │ 0            │ 0               │",
    "└─────────────────────────┴──────────────┴──────────────┴─────────────────┘",
  ]);
  expect(await service.stored()).toEqual(before);
  expect(await service.scratch()).toEqual(["polars-analysis-service"]);
  expect(await service.run("cli", ["show", "totals", "2026-01-01"])).toMatchObject({ status: 0 });
});

test("sweep --older-than 0 takes a refused result and a half-written file, by age alone", async () => {
  await using service = await serviceWithRefusedRun();
  await writeFile(join(service.store, ".store/pending/half"), "half");
  const sweep = async (...args: string[]) => {
    const { status, out, err } = await service.run("cli", ["sweep", "--without-temporal", "--json", ...args]);
    expect({ status, err }).toEqual({ status: 0, err: "" });
    return JSON.parse(out);
  };
  expect(await sweep()).toMatchObject({
    olderThanHours: 192,
    dryRun: false,
    staged: { removed: nothing, young: { count: 1 } },
    unfinished: { removed: nothing, young: { count: 1, sizeBytes: null } },
  });
  expect(await sweep("--older-than", "0", "--dry-run")).toMatchObject({
    dryRun: true,
    staged: { removed: { count: 1 } },
  });
  expect(await sweep("--older-than", "0")).toMatchObject({
    olderThanHours: 0,
    staged: { removed: { count: 1, sizeBytes: expect.any(Number) }, live: nothing, young: nothing },
    unfinished: { removed: { count: 1, sizeBytes: null } },
    scratch: { removed: nothing },
  });
  expect((await service.stored()).filter((path) => path.startsWith("_staging/"))).toEqual([]);
  expect(await readdir(join(service.store, ".store/pending"))).toEqual([]);
  expect((await service.stored()).filter((path) => path.endsWith(".parquet"))).toEqual([
    "totals/2026-01-01/result.parquet",
  ]);
});

test("the limit is a setting", async () => {
  await using service = await createService({ ...nobody, SWEEP_AFTER_HOURS: "24" });
  await plant(join(service.store, "_staging/run-1/a/result.parquet"), 25);
  await plant(join(service.store, "_staging/run-2/a/result.parquet"), 23);
  const { out } = await service.run("cli", ["sweep", "--without-temporal"]);
  expect(out).toMatch(/^removed 1 leftover older than 24 hours\n/);
  expect(await service.stored()).toEqual(["_staging/run-2/a/result.parquet"]);
});

test("a sweep that cannot ask Temporal removes nothing, and says how to do without", async () => {
  await using service = await createService(nobody);
  await plant(join(service.store, "_staging/run-1/a/result.parquet"), 500);
  const { status, out, err } = await service.run("cli", ["sweep"]);
  expect({ status, out }).toEqual({ status: 22, out: "" });
  expect(err).toMatch(
    /^store-unavailable: no Temporal server answers at 127\.0\.0\.1:1 .*; --without-temporal sweeps by age alone\n$/,
  );
  const json = await service.run("cli", ["sweep", "--json"]);
  expect(JSON.parse(json.err)).toMatchObject({ error: { code: "store-unavailable" } });
  expect(await service.stored()).toHaveLength(1);
});

test.each([["ten"], ["-1"], [""], ["1e3"]])("a limit of %j hours is a malformed request", async (hours) => {
  await using service = await createService(nobody);
  const { status, out, err } = await service.run("cli", ["sweep", "--without-temporal", "--older-than", hours]);
  expect({ status, out }).toEqual({ status: 2, out: "" });
  expect(err).toMatch(/^bad-request: .*--older-than/);
});

test("a bucket is swept of staged objects and of uploads that were left open", async () => {
  const access = inject("s3");
  await using service = await serviceWithRefusedRun(s3Environment(access));
  const client = s3ClientOf(access);
  const prefix = service.env["STORE_URL"]?.slice(`s3://${access.bucket}/`.length);
  const Key = `${prefix}/refused/2026-01-02/result.parquet`;
  await client.send(new CreateMultipartUploadCommand({ Bucket: access.bucket, Key }));
  const sweep = async (...args: string[]) => {
    const { status, out, err } = await service.run("cli", ["sweep", "--without-temporal", "--json", ...args]);
    expect({ status, err }).toEqual({ status: 0, err: "" });
    return JSON.parse(out);
  };
  const one = { count: 1 };
  expect(await sweep()).toMatchObject({ staged: { young: one }, unfinished: { young: one } });
  expect(await sweep("--older-than", "0")).toMatchObject({ staged: { removed: one }, unfinished: { removed: one } });
  expect(await sweep()).toMatchObject({ staged: { young: nothing }, unfinished: { young: nothing } });
  const left = await client.send(new ListMultipartUploadsCommand({ Bucket: access.bucket, Prefix: `${prefix}/` }));
  expect(left.Uploads ?? []).toEqual([]);
  client.destroy();
  expect(await service.run("cli", ["show", "totals", "2026-01-01"])).toMatchObject({ status: 0 });
});
