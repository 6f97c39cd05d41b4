import { createHash } from "node:crypto";
import { beforeEach, expect, it } from "vitest";
import {
  BadRequest,
  InputMissing,
  SourceUnavailable,
  StoreUnavailable,
  UnknownDataset,
} from "../../../src/domain/model/failure.ts";
import { parseDatasetId } from "../../../src/domain/value-object/dataset-id.ts";
import type { InspectedInput } from "../../../src/domain/value-object/fingerprint.ts";
import { parseTargetDate } from "../../../src/domain/value-object/target-date.ts";
import { parseBackfillRequest } from "../../../src/usecase/dto/backfill.ts";
import { createPlanInteractor, type PlanPorts } from "../../../src/usecase/interactor/plan-interactor.ts";
import { requirePlan } from "../../../src/usecase/interactor/require-plan.ts";
import type { PlanUseCase } from "../../../src/usecase/ports/input/plan-usecase.ts";
import { createWorld, fakeCatalog, type World } from "../../fakes/ports.ts";
import { fakeManifest } from "../../support/fake-run-analysis.ts";

const source = new Map<string, InspectedInput>();
const published = new Map<string, string>();
let world: World;
let plan: PlanUseCase;
let temporal: PlanPorts["orchestrator"];
/** What Temporal was asked. */
const asked: string[] = [];
/** Dates that the source fails for. */
const unreachable = new Set<string>();
let atATime = { now: 0, most: 0 };

const file = (content: string): InspectedInput => ({ uri: "file:///in", sha256: content, sizeBytes: 10 });

/** With a failed run of each date, that ended then. */
function temporalOf(failed: readonly (readonly [date: string, closedAt: string])[]): PlanPorts["orchestrator"] {
  const runs = failed.map(([date, closedAt]) => ({
    date: parseTargetDate(date),
    status: "failed" as const,
    workflowId: `analysis/sales/${date}`,
    runId: "r",
    startedAt: closedAt,
    closedAt,
  }));
  return {
    async statesOf(_, first, last) {
      asked.push(`states ${first} to ${last}`);
      return runs;
    },
    async describe(_, date) {
      asked.push(`run ${date}`);
      const run = runs.find((each) => each.date === date);
      return run && { ...run, failure: { code: "checks-failed", message: "rows: 0, expected 1" } };
    },
  };
}

/** `published` maps a date to the content that its result was made from, by the definition `d1`. */
beforeEach(() => {
  world = createWorld();
  source.clear();
  unreachable.clear();
  asked.length = 0;
  temporal = temporalOf([]);
  published.clear();
  atATime = { now: 0, most: 0 };
  plan = createPlanInteractor({
    catalog: fakeCatalog(world),
    sha256: (text) => createHash("sha256").update(text).digest("hex"),
    orchestrator: {
      statesOf: (...args) => temporal.statesOf(...args),
      describe: (...args) => temporal.describe(...args),
    },
    loader: {
      async inspect({ date }) {
        atATime.now += 1;
        atATime.most = Math.max(atATime.most, atATime.now);
        await new Promise(setImmediate);
        atATime.now -= 1;
        if (unreachable.has(date)) throw new SourceUnavailable(`${date} cannot be reached`);
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
    { date: "2026-02-01", runs: true, reason: "missing", failure: null, sizeBytes: 10, place: "batch" },
    { date: "2026-02-02", runs: false, reason: "unchanged", failure: null, sizeBytes: 10, place: null },
    { date: "2026-02-03", runs: true, reason: "input-changed", failure: null, sizeBytes: 10, place: "batch" },
    { date: "2026-02-04", runs: true, reason: "input-unknown", failure: null, sizeBytes: null, place: "batch" },
    { date: "2026-02-05", runs: false, reason: "no-input", failure: null, sizeBytes: null, place: null },
    { date: "2026-02-06", runs: true, reason: "missing", failure: null, sizeBytes: 65 * 2 ** 20, place: "own-run" },
  ]);
  expect(planned).toMatchObject({ dataset: "sales", runs: 4, bytesToRead: null });
  expect(planned.counts).toEqual({
    missing: 2,
    "input-changed": 1,
    "input-unknown": 1,
    "definition-changed": 0,
    failed: 0,
    unreachable: 0,
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
    orchestrator: temporal,
    loader: { inspect: () => Promise.reject(new BadRequest("the address is not allowed")) },
    repository: { findPublished: async () => undefined },
  });
  await expect(broken.plan("sales", "2026-01-01", "2026-01-02")).rejects.toThrow("the address is not allowed");
});

const afterAll = "2026-03-01T00:00:00.000Z";

it("names the dates whose last run failed, among those that would be calculated, and the code", async () => {
  for (const [date, content] of [
    ["2026-02-01", "a"],
    ["2026-02-02", "b"],
    ["2026-02-03", "new"],
    ["2026-02-04", "new"],
  ] as const) {
    source.set(date, file(content));
  }
  published.set("2026-02-02", "b");
  published.set("2026-02-03", "old");
  published.set("2026-02-04", "old");
  const before = await plan.plan("sales", "2026-02-01", "2026-02-05");
  expect(before.dates.map(({ reason }) => reason)).toEqual([
    "missing",
    "unchanged",
    "input-changed",
    "input-changed",
    "no-input",
  ]);
  asked.length = 0;
  temporal = temporalOf([
    ["2026-02-01", afterAll],
    ["2026-02-02", afterAll],
    ["2026-02-03", afterAll],
    // Something was published since.
    ["2026-02-04", "2020-01-01T00:00:00.000Z"],
    ["2026-02-05", afterAll],
  ]);
  const after = await plan.plan("sales", "2026-02-01", "2026-02-05");
  const failure = { code: "checks-failed", message: "rows: 0, expected 1" };
  expect(after.dates).toEqual([
    { date: "2026-02-01", runs: true, reason: "failed", failure, sizeBytes: 10, place: "batch" },
    { date: "2026-02-02", runs: false, reason: "unchanged", failure: null, sizeBytes: 10, place: null },
    { date: "2026-02-03", runs: true, reason: "failed", failure, sizeBytes: 10, place: "batch" },
    { date: "2026-02-04", runs: true, reason: "input-changed", failure: null, sizeBytes: 10, place: "batch" },
    { date: "2026-02-05", runs: false, reason: "no-input", failure: null, sizeBytes: null, place: null },
  ]);
  expect(after).toMatchObject({
    temporal: { asked: true, message: null },
    counts: { failed: 2, missing: 0, "input-changed": 1 },
    runs: 3,
    bytesToRead: 30,
  });
  expect(asked).toEqual(["states 2026-02-01 to 2026-02-05", "run 2026-02-01", "run 2026-02-03"]);
  expect(after.hash).toBe(before.hash);
});

it("asks for the codes of the first twenty failures, and does without those that are gone", async () => {
  const days = Array.from({ length: 25 }, (_, index) => `2026-01-${String(index + 1).padStart(2, "0")}`);
  for (const date of days) source.set(date, file("a"));
  temporal = temporalOf(days.map((date) => [date, afterAll]));
  const { dates } = await plan.plan("sales", "2026-01-01", "2026-01-25");
  expect(dates.map(({ reason }) => reason)).toEqual(Array(25).fill("failed"));
  expect(dates.filter(({ failure }) => failure !== null).map(({ date }) => date)).toEqual(days.slice(0, 20));
  temporal = { ...temporal, describe: () => Promise.reject(new StoreUnavailable("Temporal went away")) };
  const without = await plan.plan("sales", "2026-01-01", "2026-01-25");
  expect(without.counts.failed).toBe(25);
  expect(without.dates.every(({ failure }) => failure === null)).toBe(true);
  temporal = { ...temporal, describe: () => Promise.reject(new Error("a defect")) };
  await expect(plan.plan("sales", "2026-01-01", "2026-01-25")).rejects.toThrow("a defect");
});

it("does without Temporal when it is away, and says so; the hash is the same", async () => {
  source.set("2026-02-01", file("a"));
  temporal = temporalOf([["2026-02-01", afterAll]]);
  const { hash, counts } = await plan.plan("sales", "2026-02-01", "2026-02-02");
  expect(counts.failed).toBe(1);
  temporal = { ...temporal, statesOf: () => Promise.reject(new StoreUnavailable("no Temporal server answers")) };
  const away = await plan.plan("sales", "2026-02-01", "2026-02-02");
  expect(away).toMatchObject({
    hash,
    temporal: { asked: false, message: "no Temporal server answers" },
    counts: { failed: 0, missing: 1 },
  });
  temporal = { ...temporal, statesOf: () => Promise.reject(new Error("a defect")) };
  await expect(plan.plan("sales", "2026-02-01", "2026-02-02")).rejects.toThrow("a defect");
  const unasked = await plan.plan("sales", "2026-02-01", "2026-02-02", { withoutTemporal: true });
  expect(unasked).toMatchObject({ hash, temporal: { asked: false, message: null } });
});

it("goes on where the source cannot be asked about a date, which a run of its own would have to", async () => {
  source.set("2026-02-01", file("a"));
  published.set("2026-02-02", "b");
  unreachable.add("2026-02-02");
  temporal = temporalOf([["2026-02-02", afterAll]]);
  const planned = await plan.plan("sales", "2026-02-01", "2026-02-02");
  const failure = { code: "source-unavailable", message: "2026-02-02 cannot be reached" };
  expect(planned.dates[1]).toEqual({
    date: "2026-02-02",
    runs: true,
    reason: "unreachable",
    failure,
    sizeBytes: null,
    place: "own-run",
  });
  expect(planned).toMatchObject({ runs: 2, bytesToRead: null, counts: { missing: 1, unreachable: 1, failed: 0 } });
  expect((await plan.plan("sales", "2026-02-01", "2026-02-02")).hash).toBe(planned.hash);
  unreachable.clear();
  expect((await plan.plan("sales", "2026-02-01", "2026-02-02")).hash).not.toBe(planned.hash);
  unreachable.add("2026-02-01").add("2026-02-02");
  await expect(plan.plan("sales", "2026-02-01", "2026-02-02")).rejects.toThrow(
    new SourceUnavailable("2026-02-01 cannot be reached"),
  );
});

it("that a backfill goes by is checked without Temporal, and not refused for a source that is away", async () => {
  source.set("2026-02-01", file("a"));
  source.set("2026-02-02", file("b"));
  temporal = temporalOf([["2026-02-01", afterAll]]);
  const { hash } = await plan.plan("sales", "2026-02-01", "2026-02-02");
  asked.length = 0;
  const range = { dataset: parseDatasetId("sales"), from: "2026-02-01", to: "2026-02-02" };
  const check = (planHash: string) => requirePlan(plan, parseBackfillRequest({ ...range, planHash }), undefined);
  await check(hash);
  unreachable.add("2026-02-02");
  await expect(check(hash)).rejects.toThrow(SourceUnavailable);
  await expect(check(hash)).rejects.toThrow(/cannot be told: 2026-02-02: 2026-02-02 cannot be reached$/);
  await check((await plan.plan("sales", "2026-02-01", "2026-02-02", { withoutTemporal: true })).hash);
  unreachable.clear();
  source.set("2026-02-02", file("b2"));
  await expect(check(hash)).rejects.toThrow(BadRequest);
  expect(asked).toEqual([]);
});
