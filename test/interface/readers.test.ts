import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { pl } from "nodejs-polars";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { openTestStore, s3Environment } from "../support/s3.ts";
import { createService, type Service } from "../support/service.ts";

/** Counted without Polars: flights, of them canceled, and minutes of arrival delay on the day of the blizzard. */
const golden = { flights: 930n, cancelled: 472n, arr_delay_minutes: 11_024n };
const key = "flights/2013-02-08/result.parquet";

/** What each reader makes of the published bytes as they lie. */
async function sums(path: string): Promise<Record<"polars" | "duckdb", unknown>> {
  const columns = Object.keys(golden);
  const frame = await pl
    .scanParquet(path)
    .select(...columns.map((name) => pl.col(name).sum()))
    .collect();
  const polars = Object.fromEntries(
    columns.map((name) => [name, BigInt(frame.row(0)[columns.indexOf(name)] as number)]),
  );
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const select = columns.map((name) => `sum(${name})::BIGINT AS ${name}`).join(", ");
    const reader = await connection.runAndReadAll(`SELECT ${select} FROM read_parquet('${path}')`);
    return { polars, duckdb: reader.getRowObjects()[0] };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

describe("a published result is a plain Parquet file", () => {
  let service: Service;
  beforeAll(async () => {
    service = await createService({ DATASETS: "" });
  });
  afterAll(() => service[Symbol.asyncDispose]());

  it("for Polars and DuckDB, from a folder", async () => {
    expect((await service.run("cli", ["run", "flights", "2013-02-08"])).status).toBe(0);
    expect(await sums(join(service.store, key))).toEqual({ polars: golden, duckdb: golden });
  });

  it("for Polars and DuckDB, from S3, with the sha256 that its manifest names", async () => {
    const access = inject("s3");
    const env = s3Environment(access);
    expect((await service.run("cli", ["run", "flights", "2013-02-08"], env)).status).toBe(0);
    using store = await openTestStore(access, { prefix: (env["STORE_URL"] ?? "").split("/").at(-1) ?? "" });
    await using local = await store.local(key);
    const path = local?.path ?? "";
    expect(await sums(path)).toEqual({ polars: golden, duckdb: golden });
    const manifest = JSON.parse((await store.text("flights/2013-02-08/manifest.json")) ?? "");
    const sha256 = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
    expect([manifest.result.sha256, manifest.result.key]).toEqual([sha256, key]);
  });
});
