import { beforeEach, describe, expect, it } from "vitest";
import { BadRequest, InputInvalid, InputMissing, StoreUnavailable } from "../../../src/domain/model/failure.ts";
import type { DaysOrder, DaysReport } from "../../../src/usecase/dto/backfill.ts";
import type { RunAnalysisInput } from "../../../src/usecase/dto/run-analysis-input.ts";
import { createCarryOutBackfillInteractor } from "../../../src/usecase/interactor/carry-out-backfill-interactor.ts";
import type { CarryOutBackfillUseCase } from "../../../src/usecase/ports/input/carry-out-backfill-usecase.ts";
import type { RunState } from "../../../src/usecase/ports/output/run-orchestrator.ts";
import { createWorld, fakeCatalog } from "../../fakes/ports.ts";
import { createFakeRunAnalysis, fakeOutput } from "../../support/fake-run-analysis.ts";

const order: DaysOrder = {
  dataset: "sales",
  from: "2026-02-01",
  count: 4,
  mode: "changed",
  runId: "0198c0de-0000-7000-8000-000000000000",
  fence: "2026-03-01T00:00:00.000Z",
};
const running: RunState = { workflowId: "w", runId: "r", status: "running", startedAt: "2026-03-01T00:00:00.000Z" };

let calculated: RunAnalysisInput[];
let discarded: string[];
/** What a step does on a date, in place of the usual. */
let on: Record<string, () => Promise<never>>;
let states: Record<string, RunState[]>;
let large: ReadonlySet<string>;
let unchanged: ReadonlySet<string>;
let useCase: CarryOutBackfillUseCase;
let planHash: string;

beforeEach(() => {
  [calculated, discarded, on, states, large, unchanged] = [[], [], {}, {}, new Set(), new Set()];
  planHash = "a".repeat(64);
  const fake = createFakeRunAnalysis();
  useCase = createCarryOutBackfillInteractor({
    catalog: fakeCatalog(createWorld()),
    plan: { plan: async () => ({ hash: planHash, dates: [] }) as never },
    heartbeatTimeoutMs: 5_000,
    repository: {
      async discardStaged(runId) {
        discarded.push(runId);
      },
    },
    runs: {
      describe: async (_dataset, date) => states[date]?.shift(),
    },
    run: {
      async inspect(input) {
        if (unchanged.has(input.date)) return { kind: "done", output: fakeOutput(input, "unchanged") };
        const inspected = await fake.useCase.inspect(input);
        if (inspected.kind === "done") return inspected;
        return { ...inspected, inputs: [{ uri: "file:///in", sizeBytes: large.has(input.date) ? 2 ** 30 : 10 }] };
      },
      async goOn(input) {
        calculated.push(input);
        await on[input.date]?.();
        return fakeOutput(input);
      },
    },
  });
});

const days = () => calculated.map(({ date }) => date);
const nothing = { published: 0, unchanged: 0, skipped: 0, superseded: 0, "no-input": 0 };

describe("a batch of days", () => {
  it("takes them in order, each as a run of its own identity", async () => {
    unchanged = new Set(["2026-02-02"]);
    const told: DaysReport[] = [];
    const report = await useCase.runDays(order, { onProgress: (now) => told.push(now) });
    expect(report).toEqual({ done: 4, counts: { ...nothing, published: 3, unchanged: 1 }, own: [] });
    expect(told.map(({ done }) => done)).toEqual([1, 2, 3, 4]);
    expect(days()).toEqual(["2026-02-01", "2026-02-03", "2026-02-04"]);
    expect(calculated[0]).toEqual({
      dataset: "sales",
      date: "2026-02-01",
      mode: "changed",
      runId: `${order.runId}_20260201`,
      fence: order.fence,
    });
    expect(new Set(calculated.map(({ runId }) => runId)).size).toBe(3);
  });

  it("goes on where a lost attempt was", async () => {
    const resume: DaysReport = { done: 3, counts: { ...nothing, published: 2 }, own: ["2026-02-02"] };
    const report = await useCase.runDays(order, { resume });
    expect(report).toEqual({ done: 4, counts: { ...nothing, published: 3 }, own: ["2026-02-02"] });
    expect(days()).toEqual(["2026-02-04"]);
    expect(await useCase.runDays(order, { resume: report })).toEqual(report);
  });

  it("leaves large days, failed ones and those that a run is busy with to runs of their own", async () => {
    large = new Set(["2026-02-01"]);
    states["2026-02-02"] = [running];
    on["2026-02-03"] = () => Promise.reject(new InputInvalid("broken"));
    states["2026-02-04"] = [{ ...running, status: "failed" }];
    const report = await useCase.runDays(order);
    expect(report.own).toEqual(["2026-02-01", "2026-02-02", "2026-02-03"]);
    expect(report.counts).toEqual({ ...nothing, published: 1 });
    expect(days()).toEqual(["2026-02-03", "2026-02-04"]);
    expect(discarded).toEqual([`${order.runId}_20260203`]);
  });

  it("counts a date without input as that, and goes on after a store that was away", async () => {
    on["2026-02-01"] = () => Promise.reject(new InputMissing("nothing there"));
    on["2026-02-02"] = () => Promise.reject(new StoreUnavailable("away"));
    expect(await useCase.runDays(order)).toEqual({
      done: 4,
      counts: { ...nothing, published: 2, "no-input": 1 },
      own: ["2026-02-02"],
    });
  });

  it("stops early when it has taken long", async () => {
    on["2026-02-02"] = () => new Promise((resolve) => setTimeout(resolve as () => void, 1_050));
    expect(await useCase.runDays(order)).toMatchObject({ done: 2, counts: { published: 2 } });
  });

  it("ends with the reason of a cancel", async () => {
    const stop = new AbortController();
    on["2026-02-02"] = async () => {
      stop.abort(new Error("canceled"));
      throw new Error("whatever the step made of it");
    };
    await expect(useCase.runDays(order, { signal: stop.signal })).rejects.toThrow("canceled");
    expect(days()).toEqual(["2026-02-01", "2026-02-02"]);
  });
});

describe("the request of a backfill", () => {
  const request = { dataset: "sales", from: "2026-02-01", to: "2026-02-28" };
  const id = "backfill/sales";

  it("is filled with what it leaves out", async () => {
    expect(await useCase.prepare(request, id)).toEqual({
      window: 4,
      mode: "changed",
      total: 28,
      timeLimitSeconds: 60,
      heartbeatTimeoutMs: 5_000,
    });
  });

  it("is refused when its plan does not hold any more", async () => {
    await useCase.prepare({ ...request, planHash }, id);
    await expect(useCase.prepare({ ...request, planHash: "b".repeat(64) }, id)).rejects.toThrow(
      /does not hold any more/,
    );
  });

  it("is refused under another id than the dataset's", async () => {
    await expect(useCase.prepare(request, "backfill/other")).rejects.toThrow(
      new BadRequest("a backfill of sales has the workflow id backfill/sales, got backfill/other"),
    );
  });

  it.each([
    [{ ...request, window: 1.5 }, /window must be a number of dates from 1 to 50, got 1.5/],
    [{ ...request, window: 51 }, /window must be/],
    [{ ...request, mode: "often" }, /mode must be/],
    [{ ...request, from: "2026-03-01" }, /earlier date/],
    [undefined as never, /dataset must be/],
  ])("%j is refused", async (wrong, message) => {
    await expect(useCase.prepare(wrong, id)).rejects.toThrow(BadRequest);
    await expect(useCase.prepare(wrong, id)).rejects.toThrow(message);
  });
});
