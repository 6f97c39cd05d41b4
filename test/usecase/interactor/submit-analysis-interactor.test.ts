import { beforeEach, describe, expect, it } from "vitest";
import { BadRequest, ChecksFailed, UnknownDataset } from "../../../src/domain/model/failure.ts";
import { workflowIdOf } from "../../../src/domain/value-object/run-identity.ts";
import { createSubmitAnalysisInteractor } from "../../../src/usecase/interactor/submit-analysis-interactor.ts";
import type { RunOrchestrator, RunRequest } from "../../../src/usecase/ports/output/run-orchestrator.ts";
import { createWorld, fakeCatalog } from "../../fakes/ports.ts";

let asked: unknown[];
let useCase: ReturnType<typeof createSubmitAnalysisInteractor>;

/** Keeps one run for each dataset and date; their results are failures that say which run was asked for. */
function fakeOrchestrator(): RunOrchestrator {
  const runs = new Map<string, { readonly workflowId: string; readonly runId: string }>();
  return {
    async start(request: RunRequest) {
      asked.push(request);
      const workflowId = workflowIdOf(request.dataset, request.date);
      const run = runs.get(workflowId) ?? { workflowId, runId: `run-${runs.size + 1}` };
      runs.set(workflowId, run);
      return run;
    },
    async result({ workflowId, runId }) {
      throw new ChecksFailed(`${workflowId} ${runId}`);
    },
    async describe(dataset, date) {
      asked.push([dataset, date]);
      const run = runs.get(workflowIdOf(dataset, date));
      return run === undefined ? undefined : { ...run, status: "running", startedAt: "2026-02-06T06:00:00.000Z" };
    },
    cancel: async () => false,
    liveRuns: async () => new Set(),
    statesOf: async () => [],
  };
}

beforeEach(() => {
  asked = [];
  useCase = createSubmitAnalysisInteractor(fakeCatalog(createWorld()), fakeOrchestrator());
});

describe("a run that is handed to the orchestrator", () => {
  it("is named by dataset and date, in mode `changed` unless another is asked for", async () => {
    expect(await useCase.submit({ dataset: "sales", date: "2026-02-05" })).toEqual({
      dataset: "sales",
      date: "2026-02-05",
      workflowId: "analysis/sales/2026-02-05",
      runId: "run-1",
    });
    await useCase.submit({ dataset: "sales", date: "2026-02-06", mode: "force" });
    expect(asked).toEqual([
      { dataset: "sales", date: "2026-02-05", mode: "changed", adopt: false },
      { dataset: "sales", date: "2026-02-06", mode: "force", adopt: false },
    ]);
  });

  it("is joined by a second request for the same date", async () => {
    const request = { dataset: "sales", date: "2026-02-05" };
    expect(await useCase.submit(request)).toEqual(await useCase.submit(request));
  });

  it.each([
    [{ dataset: "../x", date: "2026-02-05" }, BadRequest],
    [{ dataset: "sales", date: "2026-02-30" }, BadRequest],
    [{ dataset: "sales", date: "2026-02-05", mode: "often" }, BadRequest],
    [{ dataset: "unknown", date: "2026-02-05" }, UnknownDataset],
    [undefined as never, BadRequest],
  ])("is refused before the orchestrator hears of it: %j", async (request, failure) => {
    await expect(useCase.submit(request)).rejects.toThrow(failure);
    expect(asked).toEqual([]);
  });

  it("ends with what it failed with", async () => {
    const run = await useCase.submit({ dataset: "sales", date: "2026-02-05" });
    await expect(useCase.wait(run)).rejects.toThrow(new ChecksFailed("analysis/sales/2026-02-05 run-1"));
  });

  it("is described by dataset and date, both checked", async () => {
    expect(await useCase.describe("sales", "2026-02-05")).toBeUndefined();
    await useCase.submit({ dataset: "sales", date: "2026-02-05" });
    expect(await useCase.describe("sales", "2026-02-05")).toMatchObject({ runId: "run-1", status: "running" });
    await expect(useCase.describe("sales", "2026-2-5")).rejects.toThrow(BadRequest);
    await expect(useCase.describe("unknown", "2026-02-05")).rejects.toThrow(UnknownDataset);
  });
});
