import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Format, Source } from "../../src/domain/model/dataset-definition.ts";
import { BadRequest, InputInvalid, InputMissing } from "../../src/domain/model/failure.ts";
import { parseDatasetId } from "../../src/domain/value-object/dataset-id.ts";
import { compareInputs, type PinnedInput } from "../../src/domain/value-object/fingerprint.ts";
import { parseRunId } from "../../src/domain/value-object/run-id.ts";
import { parseTargetDate } from "../../src/domain/value-object/target-date.ts";
import type { DatasetLoader, LoadRequest } from "../../src/usecase/ports/output/dataset-loader.ts";

/** A place with files that one loader can read. */
export type LoaderWorld = AsyncDisposable & {
  readonly loader: DatasetLoader;
  /** The address of a file with this name; placeholders in the name stay. */
  uri(name: string): string;
  put(name: string, content: string): Promise<void>;
  remove(name: string): Promise<void>;
  pinnedBytes(pin: PinnedInput): Promise<Buffer>;
};

export function requestFor(source: Source, folder = "/nowhere", type: Format["type"] = "csv"): LoadRequest {
  return {
    dataset: parseDatasetId("rates"),
    date: parseTargetDate("2024-02-29"),
    runId: parseRunId("run-1"),
    source,
    format: { type },
    folder,
  };
}

export function sha256Of(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** What every DatasetLoader promises, whatever the protocol. */
export function datasetLoaderContract(name: string, createWorld: () => Promise<LoaderWorld>): void {
  describe(`${name} as a DatasetLoader`, () => {
    let world: LoaderWorld;
    beforeEach(async () => {
      world = await createWorld();
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const load = (source: Source) => world.loader.load(requestFor(source), []);

    it("pins the file of the date with its bytes, size and sha256", async () => {
      await world.put("a-2024-02-29.csv", "k,v\na,1\n");
      const [pin, ...others] = await load({ uri: world.uri("a-{date}.csv") });
      expect(others).toEqual([]);
      expect(pin).toMatchObject({ uri: world.uri("a-2024-02-29.csv"), sizeBytes: 8, sha256: sha256Of("k,v\na,1\n") });
      expect(Date.parse(pin?.fetchedAt ?? "")).toBeGreaterThan(Date.parse("2024-01-01"));
      expect(pin === undefined ? "" : (await world.pinnedBytes(pin)).toString()).toBe("k,v\na,1\n");
    });

    it("fills the parts of the date", async () => {
      await world.put("2024-02-29-a.csv", "x");
      const pins = await load({ uri: world.uri("{yyyy}-{mm}-{dd}-a.csv") });
      expect(pins.map((pin) => pin.uri)).toEqual([world.uri("2024-02-29-a.csv")]);
    });

    it("keeps several addresses in their order, each once", async () => {
      for (const file of ["c", "a", "b"]) await world.put(`${file}.csv`, file);
      const uri = ["c", "a", "b", "a"].map((file) => world.uri(`${file}.csv`));
      const source = { uri };
      const inspected = await world.loader.inspect(requestFor(source), []);
      expect(inspected.map((input) => input.uri)).toEqual(uri.slice(0, 3));
      const pins = await load(source);
      expect(pins.map((pin) => pin.sha256)).toEqual([sha256Of("c"), sha256Of("a"), sha256Of("b")]);
      expect(new Set(pins.map((pin) => pin.location)).size).toBe(3);
    });

    it("pins an empty file as an empty file", async () => {
      await world.put("empty.csv", "");
      expect(await load({ uri: world.uri("empty.csv") })).toMatchObject([{ sizeBytes: 0, sha256: sha256Of("") }]);
    });

    it("says for which dataset and date a file is missing, when it looks and when it loads", async () => {
      await world.put("a.csv", "a");
      const request = requestFor({ uri: [world.uri("a.csv"), world.uri("b-{date}.csv")] });
      for (const step of [world.loader.inspect, world.loader.load]) {
        const failure: unknown = await step(request, []).catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(InputMissing);
        expect(failure).toMatchObject({ message: expect.stringMatching(/^rates 2024-02-29: .*b-2024-02-29\.csv/) });
      }
    });

    it("never calls an unchanged source different, and proves it the same after load", async () => {
      await world.put("a.csv", "a");
      const request = requestFor({ uri: world.uri("a.csv") });
      const before = await world.loader.load(request, []);
      const inspected = await world.loader.inspect(request, before);
      expect(compareInputs(inspected, before)).not.toBe("different");
      expect(compareInputs(await world.loader.load(request, inspected), before)).toBe("same");
    });

    it("never calls changed bytes of the same length the same", async () => {
      await world.put("a.csv", "1.25");
      const request = requestFor({ uri: world.uri("a.csv") });
      const before = await world.loader.load(request, []);
      await world.put("a.csv", "1.26");
      const inspected = await world.loader.inspect(request, before);
      expect(compareInputs(inspected, before)).not.toBe("same");
      expect(compareInputs(await world.loader.load(request, inspected), before)).toBe("different");
    });

    it("pins what lies there when the source changed after the look", async () => {
      await world.put("a.csv", "old");
      const request = requestFor({ uri: world.uri("a.csv") });
      const inspected = await world.loader.inspect(request, []);
      await world.put("a.csv", "newer");
      expect(await world.loader.load(request, inspected)).toMatchObject([{ sizeBytes: 5, sha256: sha256Of("newer") }]);
    });

    it("says that a file is missing that went after the look", async () => {
      await world.put("a.csv", "a");
      const request = requestFor({ uri: world.uri("a.csv") });
      const inspected = await world.loader.inspect(request, []);
      await world.remove("a.csv");
      await expect(world.loader.load(request, inspected)).rejects.toThrow(InputMissing);
    });

    it("may load twice for one run", async () => {
      await world.put("a.csv", "a");
      const [first, second] = [await load({ uri: world.uri("a.csv") }), await load({ uri: world.uri("a.csv") })];
      expect(second.map((pin) => pin.sha256)).toEqual(first.map((pin) => pin.sha256));
    });

    it("verifies what it has pinned", async () => {
      await world.put("a.csv", "a");
      await expect(world.loader.verify(await load({ uri: world.uri("a.csv") }))).resolves.toBeUndefined();
    });

    it("holds the file to the sha256 of the definition, in either case of its letters", async () => {
      await world.put("a.csv", "a");
      const source = { uri: world.uri("a.csv") };
      await expect(load({ ...source, sha256: sha256Of("a").toUpperCase() })).resolves.toHaveLength(1);
      const failure: unknown = await load({ ...source, sha256: sha256Of("b") }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(InputInvalid);
      expect(String(failure)).toContain(sha256Of("a"));
      expect(String(failure)).toContain(sha256Of("b"));
    });

    it.each([
      ["an ftp: address", (w: LoaderWorld) => ({ uri: [w.uri("a.csv"), "ftp://data.example/{date}"] }), "ftp:"],
      ["an unknown placeholder", (w: LoaderWorld) => ({ uri: w.uri("{hour}.csv") }), "{hour}"],
      ["no address", () => ({ uri: [] }), "source.uri"],
      [
        "a sha256 of two files",
        (w: LoaderWorld) => ({ uri: [w.uri("a"), w.uri("b")], sha256: sha256Of("") }),
        "sha256",
      ],
    ] as const)("refuses %s", async (_, sourceOf, words) => {
      const failure: unknown = await world.loader
        .inspect(requestFor(sourceOf(world)), [])
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(BadRequest);
      expect(String(failure)).toContain(words);
    });

    it("ends with the reason of the signal", async () => {
      await world.put("a.csv", "a");
      const request = requestFor({ uri: world.uri("a.csv") });
      const reason = new Error("cancelled");
      const signal = AbortSignal.abort(reason);
      await expect(world.loader.inspect(request, [], signal)).rejects.toBe(reason);
      await expect(world.loader.load(request, [], signal)).rejects.toBe(reason);
    });
  });
}
