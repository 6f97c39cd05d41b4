import { readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { manifestJsonSchema, parseManifest } from "../../../src/infrastructure/repository/manifest-schema.ts";
import { createService } from "../../support/service.ts";

const published = new URL("../../../docs/manifest.schema.json", import.meta.url);

describe("the JSON Schema of the manifest", () => {
  it("in docs is the one that the service reads by; `npm run build:manifest-schema` writes it", async () => {
    expect(JSON.parse(await readFile(published, "utf8"))).toEqual(manifestJsonSchema());
  });

  it("describes what a real run publishes, beside the result and in the history, and version 1 is still read", async () => {
    await using service = await createService({ DATASETS: "" });
    expect((await service.run("cli", ["run", "flights", "2013-02-08"])).status).toBe(0);
    const validate = new Ajv2020({ strict: true }).compile(JSON.parse(await readFile(published, "utf8")));
    const keys = (await service.stored()).filter((key) => key.endsWith(".json"));
    expect(keys).toHaveLength(2);
    for (const key of keys) {
      const manifest: unknown = JSON.parse(await readFile(`${service.store}/${key}`, "utf8"));
      expect([key, validate(manifest), validate.errors]).toEqual([key, true, null]);
      expect(validate({ ...(manifest as object), fence: 7 })).toBe(false);
    }
    const { steps, ...rest } = JSON.parse(await readFile(`${service.store}/${keys[0]}`, "utf8"));
    const timings = { inspectMs: 1, loadMs: 2, analyzeMs: 3 };
    const old = JSON.stringify({ ...rest, version: 1, timings, peakMemoryBytes: 4 });
    expect(parseManifest("old", old).steps).toEqual({
      inspect: { ms: 1, peakMemoryBytes: 0 },
      load: { ms: 2, peakMemoryBytes: 0 },
      analyze: { ms: 3, peakMemoryBytes: 4 },
    });
    expect(() => parseManifest("old", JSON.stringify({ ...rest, version: 1 }))).toThrow(
      /^old must be a manifest of version 1 or 2: /,
    );
  });
});
