import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import type { ObjectStore } from "../../src/infrastructure/store/object-store.ts";
import { openTestStore, s3Environment } from "../support/s3.ts";
import { createService, type Service } from "../support/service.ts";

const access = inject("s3");

let service: Service;
let store: ObjectStore & Disposable;
beforeEach(async () => {
  const env = s3Environment(access);
  service = await createService({ DATASETS: "", TEMPORAL_DEV_DATABASE: "temporal.db", ...env });
  store = await openTestStore(access, { prefix: (env["STORE_URL"] ?? "").split("/").at(-1) ?? "" });
});
afterEach(async () => {
  store[Symbol.dispose]();
  await service[Symbol.asyncDispose]();
});

const keysOf = async () => (await Array.fromAsync(store.list(""))).map(({ key }) => key);
const run = (...args: string[]) => service.run("cli", ["run", "flights", "2013-02-08", ...args]);

describe("the service on S3", () => {
  it("demo publishes seven days, none the second time, and leaves only results and manifests after a sweep", async () => {
    const first = await service.run("cli", ["demo"]);
    expect([first.status, first.out]).toEqual([0, expect.stringContaining("7 days published.")]);
    expect(first.out).toContain(`${service.env["STORE_URL"]}/flights/<date>/result.parquet`);
    const second = await service.run("cli", ["demo"]);
    expect([second.status, second.out]).toEqual([0, expect.stringContaining("0 days published, 7 unchanged.")]);
    await store.put("_staging/of-a-dead-run/token/result.parquet", { text: "left behind" });
    const swept = await service.run("cli", ["sweep", "--older-than", "0", "--without-temporal"]);
    expect([swept.status, swept.err]).toEqual([0, ""]);
    const keys = await keysOf();
    expect(keys.filter((key) => /^flights\/2013-02-\d\d\/result\.parquet$/.test(key))).toHaveLength(7);
    expect(keys.filter((key) => /^flights\/2013-02-\d\d\/manifest\.json$/.test(key))).toHaveLength(7);
    expect(keys.filter((key) => /^flights\/2013-02-\d\d\/_manifests\/[^/]+\.json$/.test(key))).toHaveLength(7);
    expect(keys.filter((key) => key.startsWith("_index/"))).toEqual([
      "_index/flights/2013.jsonl",
      "_index/flights/whole",
    ]);
    expect(keys).toHaveLength(23);
    expect(await Array.fromAsync(store.unfinished())).toEqual([]);
  }, 240_000);

  it("refuses an object that it did not write, says what it is, and takes it over where asked", async () => {
    const key = "flights/2013-02-08/result.parquet";
    await store.put(key, { text: "somebody else's" }, { metadata: { owner: "finance" } });
    const refused = await run();
    expect(refused.status).toBe(40);
    expect(refused.err).toMatch(
      /^store-unsafe: flights\/2013-02-08\/result\.parquet was not written by this service: it has 15 bytes of .*, with the metadata owner=finance\. .*--adopt.*\n$/,
    );
    expect(await store.text(key)).toBe("somebody else's");
    expect(await run("--adopt")).toMatchObject({ status: 0, out: expect.stringContaining("published") });
    expect(await run()).toMatchObject({ status: 0, out: expect.stringContaining("unchanged") });
    expect((await store.head(key))?.metadata).toMatchObject({ dataset: "flights" });
  });

  it.each([
    ["AWS_SECRET_ACCESS_KEY", "wrong-secret", "the secret key does not belong to the access key"],
    ["AWS_ACCESS_KEY_ID", "unknown-key", "the access key is not known there"],
    ["STORE_URL", "s3://no-such-bucket/x", "the bucket does not exist"],
    ["AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9", "it cannot be reached (ECONNREFUSED)"],
  ])("tells a wrong %s in one sentence, with no secret in it", async (name, value, reason) => {
    for (const [main, args] of [
      ["cli", ["run", "flights", "2013-02-08"]],
      ["cli", ["show", "flights", "2013-02-08"]],
      ["worker", []],
    ] as const) {
      const { status, out, err } = await service.run(main, args, { [name]: value });
      expect([status, out]).toEqual([22, ""]);
      expect(err).toMatch(
        /^(store-unavailable: )?the store s3:\/\/\S+ must be a bucket that can be read and written: .*\n$/,
      );
      expect(err).toContain(reason);
      for (const secret of [access.secretAccessKey, access.accessKeyId, "wrong-secret"])
        expect(err).not.toContain(secret);
    }
    expect(await keysOf()).toEqual([]);
  });
});
