import { beforeEach, describe, expect, it } from "vitest";
import type { DatasetDefinition } from "../../../src/domain/model/dataset-definition.ts";
import { BadRequest, InputMissing, SourceUnavailable, UnknownDataset } from "../../../src/domain/model/failure.ts";
import { parseDatasetId } from "../../../src/domain/value-object/dataset-id.ts";
import type { InspectedInput } from "../../../src/domain/value-object/fingerprint.ts";
import { createDailyAnalysisInteractor } from "../../../src/usecase/interactor/daily-analysis-interactor.ts";
import type { DailyAnalysisUseCase } from "../../../src/usecase/ports/input/daily-analysis-usecase.ts";
import type { RunState } from "../../../src/usecase/ports/output/run-orchestrator.ts";
import { fakeManifest, fakeOutput } from "../../support/fake-run-analysis.ts";

const id = parseDatasetId("sales");
const run = { dataset: "sales", date: "2026-01-01", runId: "run-1", fence: "2026-01-02T00:00:00.000Z" };

let definition: Partial<DatasetDefinition>;
let digest: string;
let isPublished: boolean;
let found: InspectedInput | Error;
let state: RunState | undefined;
let useCase: DailyAnalysisUseCase;

beforeEach(() => {
  definition = { timeZone: "Europe/Berlin" };
  digest = "0".repeat(64);
  isPublished = true;
  found = { uri: "file:///in.csv", sha256: "a" };
  state = undefined;
  const pinned = { uri: "file:///in.csv", location: "file:///in.csv", sizeBytes: 1, sha256: "a", fetchedAt: "then" };
  useCase = createDailyAnalysisInteractor({
    catalog: {
      get(wanted) {
        if (wanted !== id) throw new UnknownDataset(`there is no dataset ${wanted}`);
        return { id, digest, file: "/definitions/sales.ts", definition: definition as DatasetDefinition };
      },
      list: () => [],
    },
    repository: {
      findPublished: async () => (isPublished ? { ...fakeManifest(run), inputs: [pinned] } : undefined),
    },
    loader: {
      async inspect(request, previous) {
        expect(request).toMatchObject({ dataset: "sales", date: "2026-01-01", folder: "/definitions" });
        expect(previous).toEqual([pinned]);
        if (found instanceof Error) throw found;
        return [found];
      },
    },
    orchestrator: { describe: async () => state, result: async () => fakeOutput(run, "unchanged") },
  });
});

describe("the dates of a daily run", () => {
  const datesAt = (nominalTime: string) => useCase.dates({ dataset: "sales", nominalTime });

  it("are yesterday's, of the zone, where the definition says no more", async () => {
    const dates = { dataset: "sales", dueDates: ["2026-03-28"], lateDates: [] };
    expect(await datesAt("2026-03-29T21:59:00Z")).toEqual(dates);
  });

  it("are as far back as lagDays, and lateDays before that", async () => {
    definition = { timeZone: "Asia/Kathmandu", lagDays: 3, lateDays: 2 };
    expect(await datesAt("2026-03-01T18:15:00Z")).toEqual({
      dataset: "sales",
      dueDates: ["2026-02-27"],
      lateDates: ["2026-02-26", "2026-02-25"],
    });
  });

  it("are two when the clocks had left out the schedule's time, and neither is a late one", async () => {
    definition = { timeZone: "Europe/Berlin", schedule: "30 2 * * *", lateDays: 2 };
    expect(await datesAt("2026-03-30T00:30:00Z")).toEqual({
      dataset: "sales",
      dueDates: ["2026-03-29", "2026-03-28"],
      lateDates: ["2026-03-27"],
    });
  });

  it("are the one that is asked for", async () => {
    definition = { timeZone: "Europe/Berlin", schedule: "30 2 * * *", lateDays: 1 };
    const dates = await useCase.dates({ dataset: "sales", date: "2026-01-01", nominalTime: "2026-03-30T00:30:00Z" });
    expect(dates).toEqual({ dataset: "sales", dueDates: ["2026-01-01"], lateDates: ["2025-12-31"] });
  });

  it("need a dataset, a date that exists and a time that is one", async () => {
    const nominalTime = "2026-03-30T00:30:00Z";
    await expect(useCase.dates({ dataset: "Sales", nominalTime })).rejects.toThrow(BadRequest);
    await expect(useCase.dates({ dataset: "other", nominalTime })).rejects.toThrow(UnknownDataset);
    await expect(useCase.dates({ dataset: "sales", date: "2026-02-30", nominalTime })).rejects.toThrow(/2026-02-30/);
    await expect(datesAt("at six")).rejects.toThrow(/nominalTime .* "at six"/);
  });
});

describe("a look back at a date", () => {
  const look = () => useCase.inspectLate({ dataset: "sales", date: "2026-01-01", runId: "run-1" });

  it("says whether the input is another than that of the published result", async () => {
    expect(await look()).toBe("unchanged");
    found = { uri: "file:///in.csv", sha256: "b" };
    expect(await look()).toBe("changed");
  });

  it("leaves to a run what a look cannot tell", async () => {
    found = { uri: "file:///in.csv", sizeBytes: 1 };
    expect(await look()).toBe("changed");
  });

  it("is no reason to run where nothing is published, the definition has changed, or the input is gone", async () => {
    found = new InputMissing("nothing there");
    expect(await look()).toBe("input-missing");
    found = { uri: "file:///in.csv", sha256: "b" };
    digest = "another";
    expect(await look()).toBe("definition-changed");
    isPublished = false;
    expect(await look()).toBe("missing");
  });

  it("fails when the source is away", async () => {
    found = new SourceUnavailable("no answer");
    await expect(look()).rejects.toThrow(SourceUnavailable);
  });
});

describe("a run that is followed", () => {
  const follow = () => useCase.follow({ dataset: "sales", date: "2026-01-01" });
  const base = { workflowId: "analysis/sales/2026-01-01", runId: "run-1", startedAt: "then" };

  it("is unknown, under way, or at its end with what came of it", async () => {
    expect(await follow()).toEqual({ status: "unknown" });
    state = { ...base, status: "running" };
    expect(await follow()).toEqual({ status: "running", runId: "run-1" });
    state = { ...base, status: "completed" };
    expect(await follow()).toEqual({ status: "completed", runId: "run-1", outcome: "unchanged", rows: 2 });
    state = { ...base, status: "failed", failure: { code: "checks-failed", message: "no rows" } };
    expect(await follow()).toEqual({ status: "failed", runId: "run-1", code: "checks-failed", message: "no rows" });
    state = { ...base, status: "canceled" };
    const message = "the run was canceled";
    expect(await follow()).toEqual({ status: "canceled", runId: "run-1", code: "crashed", message });
  });
});
