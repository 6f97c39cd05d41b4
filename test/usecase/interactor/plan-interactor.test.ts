import { createHash } from "node:crypto";
import { beforeEach, expect, it } from "vitest";
import { InputMissing, SourceUnavailable, UnknownDataset } from "../../../src/domain/model/failure.ts";
import type { InspectedInput } from "../../../src/domain/value-object/fingerprint.ts";
import { createPlanInteractor } from "../../../src/usecase/interactor/plan-interactor.ts";
import type { PlanUseCase } from "../../../src/usecase/ports/input/plan-usecase.ts";
import { createWorld, fakeCatalog, type World } from "../../fakes/ports.ts";
import { fakeManifest } from "../../support/fake-run-analysis.ts";

const source = new Map<string, InspectedInput>();
const published = new Map<string, string>();
let world: World;
let plan: PlanUseCase;
let atATime = { now: 0, most: 0 };

const file = (content: string): InspectedInput => ({ uri: "file:///in", sha256: content, sizeBytes: 10 });

/** `published` maps a date to the content that its result was made from, by the definition `d1`. */
beforeEach(() => {
  world = createWorld();
  source.clear();
  published.clear();
  atATime = { now: 0, most: 0 };
  plan = createPlanInteractor({
    catalog: fakeCatalog(world),
    sha256: (text) => createHash("sha256").update(text).digest("hex"),
    loader: {
      async inspect({ date }) {
        atATime.now += 1;
        atATime.most = Math.max(atATime.most, atATime.now);
        await new Promise(setImmediate);
        atATime.now -= 1;
        const found = source.get(date);
        if (found === undefined) throw new InputMissing("nothing there");
        return [found];
      },
    },
    repository: {
      async findPublished(dataset, date) {
        const content = published.get(date);
        if (content === undefined) return undefined;
        const manifest = fakeManifest({ dataset, date, runId: `of-${content}`, fence: "2026-01-01T00:00:00.000Z" });
        const input = { ...file(content), location: "file:///in", sizeBytes: 10, fetchedAt: "then" };
        return { ...manifest, definitionDigest: "d1", inputs: [input], key: `key-${content}` };
      },
    },
  });
});

it("tells for each date what would happen and why", async () => {
  source.set("2026-02-01", file("a"));
  source.set("2026-02-02", file("b"));
  published.set("2026-02-02", "b");
  source.set("2026-02-03", file("new"));
  published.set("2026-02-03", "old");
  source.set("2026-02-04", { uri: "http://host/in", etag: 'W/"1"' });
  published.set("2026-02-04", "d");
  source.set("2026-02-06", { ...file("big"), sizeBytes: 65 * 2 ** 20 });
  const planned = await plan.plan("sales", "2026-02-01", "2026-02-06");
  expect(planned.dates).toEqual([
    { date: "2026-02-01", runs: true, reason: "missing", sizeBytes: 10, place: "batch" },
    { date: "2026-02-02", runs: false, reason: "unchanged", sizeBytes: 10, place: null },
    { date: "2026-02-03", runs: true, reason: "input-changed", sizeBytes: 10, place: "batch" },
    { date: "2026-02-04", runs: true, reason: "input-unknown", sizeBytes: null, place: "batch" },
    { date: "2026-02-05", runs: false, reason: "no-input", sizeBytes: null, place: null },
    { date: "2026-02-06", runs: true, reason: "missing", sizeBytes: 65 * 2 ** 20, place: "own-run" },
  ]);
  expect(planned).toMatchObject({ dataset: "sales", runs: 4, bytesToRead: null });
  expect(planned.counts).toEqual({
    missing: 2,
    "input-changed": 1,
    "input-unknown": 1,
    "definition-changed": 0,
    unchanged: 1,
    "no-input": 1,
  });

  world.digest = "d2";
  const after = await plan.plan("sales", "2026-02-01", "2026-02-03");
  expect(after.dates.map(({ reason }) => reason)).toEqual(["missing", "definition-changed", "definition-changed"]);
  expect(after.bytesToRead).toBe(30);
});

it("has the same hash while the world stays, and another one after every change in it", async () => {
  source.set("2026-02-01", file("a"));
  source.set("2026-02-02", file("b"));
  published.set("2026-02-02", "b");
  const hash = async (to = "2026-02-03") => (await plan.plan("sales", "2026-02-01", to)).hash;
  const seen = [await hash()];
  expect(seen[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(await hash()).toBe(seen[0]);
  seen.push(await hash("2026-02-04"));
  source.set("2026-02-01", file("a2"));
  seen.push(await hash());
  published.set("2026-02-01", "a2");
  seen.push(await hash());
  source.set("2026-02-03", file("late"));
  seen.push(await hash());
  world.digest = "d2";
  seen.push(await hash());
  source.delete("2026-02-03");
  seen.push(await hash());
  expect(new Set(seen).size).toBe(seen.length);
});

it("looks at many dates at a time, not at all of them, and tells how far it is", async () => {
  const told: number[] = [];
  const { dates } = await plan.plan("sales", "2026-01-01", "2026-12-31", { onDate: (done) => told.push(done) });
  expect(dates).toHaveLength(365);
  expect(told).toEqual(Array.from({ length: 365 }, (_, index) => index + 1));
  expect(atATime.most).toBe(16);
});

it("fails where the source or the request does", async () => {
  await expect(plan.plan("unknown", "2026-01-01", "2026-01-02")).rejects.toThrow(UnknownDataset);
  const broken = createPlanInteractor({
    catalog: fakeCatalog(world),
    sha256: (text) => text,
    loader: { inspect: () => Promise.reject(new SourceUnavailable("the source is away")) },
    repository: { findPublished: async () => undefined },
  });
  await expect(broken.plan("sales", "2026-01-01", "2026-01-02")).rejects.toThrow(SourceUnavailable);
});
