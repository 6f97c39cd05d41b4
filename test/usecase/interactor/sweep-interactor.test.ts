import { beforeEach, describe, expect, it } from "vitest";
import { BadRequest, StoreUnavailable } from "../../../src/domain/model/failure.ts";
import { parseRunId, type RunId } from "../../../src/domain/value-object/run-id.ts";
import { createSweepInteractor, type SweepPorts } from "../../../src/usecase/interactor/sweep-interactor.ts";
import type { SweepUseCase } from "../../../src/usecase/ports/input/sweep-usecase.ts";

const now = new Date("2026-02-10T00:00:00.000Z");
const hourMs = 60 * 60_000;
const defaultHours = 192;
const nothing = { count: 0, sizeBytes: 0 };

type Left = { readonly name: string; readonly hours: number; readonly bytes?: number | null };

/** What is still there, by name. */
let present: Set<string>;
let asked: RunId[][];
let live: Set<string>;
let staged: (Left & { readonly runId: string })[];
let unfinished: (Left & { readonly runId?: string })[];
let scratch: (Left & { readonly inUse?: boolean })[];
let away: Error | undefined;
let useCase: SweepUseCase;

function leftover({ name, hours, bytes = 10 }: Left) {
  present.add(name);
  return {
    modifiedAt: new Date(now.getTime() - hours * hourMs),
    sizeBytes: bytes,
    remove: async () => void present.delete(name),
  };
}

function fakePorts(): SweepPorts {
  return {
    defaultHours,
    staging: {
      staged: async () => staged.map((each) => ({ ...leftover(each), runId: parseRunId(each.runId) })),
      unfinished: async () =>
        unfinished.map((each) => ({
          ...leftover({ ...each, bytes: null }),
          ...(each.runId === undefined ? {} : { runId: parseRunId(each.runId) }),
        })),
      now: async () => now,
    },
    scratch: {
      list: async () => scratch.map((each) => ({ ...leftover(each), inUse: each.inUse ?? false })),
      now: async () => now,
    },
    orchestrator: {
      async liveRuns(runIds) {
        if (away !== undefined) throw away;
        asked.push([...runIds]);
        return new Set(runIds.filter((id) => live.has(id)));
      },
    },
  };
}

beforeEach(() => {
  present = new Set();
  asked = [];
  live = new Set();
  staged = [];
  unfinished = [];
  scratch = [];
  away = undefined;
  useCase = createSweepInteractor(fakePorts());
});

describe("a sweep", () => {
  it("removes what is older than the limit, and tells what, how much, and what it kept", async () => {
    staged = [
      { name: "old", runId: "old", hours: 193, bytes: 7 },
      { name: "older", runId: "older", hours: 500, bytes: 8 },
      { name: "young", runId: "young", hours: 191, bytes: 5 },
      { name: "live", runId: "live", hours: 500, bytes: 3 },
    ];
    live = new Set(["live"]);
    unfinished = [
      { name: "upload", runId: "dead", hours: 193 },
      { name: "upload of live", runId: "live", hours: 193 },
      { name: "half a file", hours: 193 },
    ];
    scratch = [
      { name: "scratch", hours: 193, bytes: 1_000 },
      { name: "scratch in use", hours: 193, inUse: true },
      { name: "young scratch", hours: 1 },
    ];
    expect(await useCase.sweep({})).toEqual({
      olderThanHours: 192,
      dryRun: false,
      staged: {
        removed: { count: 2, sizeBytes: 15 },
        live: { count: 1, sizeBytes: 3 },
        young: { count: 1, sizeBytes: 5 },
      },
      unfinished: {
        removed: { count: 2, sizeBytes: null },
        live: { count: 1, sizeBytes: null },
        young: nothing,
      },
      scratch: {
        removed: { count: 1, sizeBytes: 1_000 },
        live: { count: 1, sizeBytes: 10 },
        young: { count: 1, sizeBytes: 10 },
      },
    });
    expect([...present].toSorted()).toEqual(["live", "scratch in use", "upload of live", "young", "young scratch"]);
    expect(asked.map((ids) => ids.toSorted())).toEqual([["dead", "live", "old", "older", "young"]]);
  });

  it("finds nothing the second time", async () => {
    staged = [{ name: "old", runId: "old", hours: 193 }];
    await useCase.sweep({});
    staged = staged.filter(({ name }) => present.has(name));
    expect((await useCase.sweep({})).staged.removed).toEqual(nothing);
  });

  it("removes nothing in a dry run, and tells the same", async () => {
    staged = [{ name: "old", runId: "old", hours: 193 }];
    unfinished = [{ name: "half a file", hours: 193 }];
    scratch = [{ name: "scratch", hours: 193 }];
    const { dryRun, ...foretold } = await useCase.sweep({ dryRun: true });
    expect(dryRun).toBe(true);
    expect(present.size).toBe(3);
    const { dryRun: _, ...done } = await useCase.sweep({});
    expect(done).toEqual(foretold);
    expect(present.size).toBe(0);
  });

  it("spares a run that may have begun this minute, and a write of unknown owner for a day, at a limit of 0", async () => {
    staged = [
      { name: "a minute", runId: "a", hours: 1 / 60 },
      { name: "half a minute", runId: "b", hours: 1 / 120 },
    ];
    unfinished = [
      { name: "a day", hours: 24 },
      { name: "less than a day", hours: 23.9 },
      { name: "upload of a run", runId: "c", hours: 1 },
    ];
    await useCase.sweep({ olderThanHours: 0 });
    expect([...present].toSorted()).toEqual(["half a minute", "less than a day"]);
  });

  it("goes by age alone where that is asked for, and then asks nobody", async () => {
    away = new StoreUnavailable("no Temporal");
    staged = [
      { name: "old", runId: "old", hours: 2 },
      { name: "young", runId: "young", hours: 0.9 },
    ];
    unfinished = [{ name: "half a file", hours: 2 }];
    await useCase.sweep({ olderThanHours: 1, byAgeAlone: true });
    expect([...present]).toEqual(["young"]);
    await useCase.sweep({ olderThanHours: 0, byAgeAlone: true });
    expect([...present]).toEqual([]);
  });

  it("removes nothing when the live runs cannot be known, and says how to do without", async () => {
    away = new StoreUnavailable("no Temporal server answers");
    staged = [{ name: "old", runId: "old", hours: 500 }];
    scratch = [{ name: "scratch", hours: 500 }];
    await expect(useCase.sweep({})).rejects.toThrow(
      new StoreUnavailable("no Temporal server answers; --without-temporal sweeps by age alone"),
    );
    expect(present.has("old")).toBe(true);
    staged = [];
    await expect(useCase.sweep({})).rejects.toThrow(StoreUnavailable);
  });

  it("takes what the clock of the store calls the future for new", async () => {
    staged = [{ name: "ahead", runId: "a", hours: -1 }];
    expect((await useCase.sweep({ olderThanHours: 1 })).staged.young.count).toBe(1);
    expect((await useCase.sweep({ olderThanHours: 0, byAgeAlone: true })).staged.removed.count).toBe(1);
  });

  it("stops between two removals when it is asked to", async () => {
    const stop = new AbortController();
    staged = ["1", "2", "3"].map((name) => ({ name, runId: name, hours: 500 }));
    const ports = fakePorts();
    useCase = createSweepInteractor({
      ...ports,
      staging: {
        ...ports.staging,
        staged: async () =>
          (await ports.staging.staged()).map((each) => ({
            ...each,
            async remove() {
              await each.remove();
              stop.abort(new Error("asked to end"));
            },
          })),
      },
    });
    await expect(useCase.sweep({}, { signal: stop.signal })).rejects.toThrow("asked to end");
    expect([...present]).toEqual(["2", "3"]);
  });

  it.each([
    [{ olderThanHours: -1 }, /olderThanHours must be a number of hours, 0 or more, got -1/],
    [{ olderThanHours: "8" }, /olderThanHours .* got "8"/],
    [{ olderThanHours: Number.NaN }, /olderThanHours/],
    [{ dryRun: "yes" }, /dryRun must be true or false, got "yes"/],
    [{ byAgeAlone: 1 }, /byAgeAlone must be true or false, got 1/],
  ])("is refused for %j", async (request, message) => {
    staged = [{ name: "old", runId: "old", hours: 500 }];
    const refused = useCase.sweep(request as never);
    await expect(refused).rejects.toThrow(BadRequest);
    await expect(refused).rejects.toThrow(message);
    expect(asked).toEqual([]);
  });
});

describe("a sweep of the scratch alone", () => {
  it("removes what is older than the usual limit and not in use, and touches nothing else", async () => {
    staged = [{ name: "staged", runId: "old", hours: 500 }];
    scratch = [
      { name: "old", hours: 193 },
      { name: "in use", hours: 193, inUse: true },
      { name: "young", hours: 191 },
    ];
    expect(await useCase.sweepScratch()).toMatchObject({ removed: { count: 1 }, live: { count: 1 } });
    expect([...present].toSorted()).toEqual(["in use", "young"]);
    expect(asked).toEqual([]);
  });
});
