import { randomUUID } from "node:crypto";
import {
  ApplicationFailure,
  CancelledFailure,
  type WorkflowFailedError,
  type WorkflowHandle,
} from "@temporalio/client";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { createRunAnalysisActivities } from "../../activities/run-analysis-activities.ts";
import {
  type AnalysisFailure,
  Crashed,
  type FailureCode,
  failureCodes,
  failureOf,
  InputChanged,
  InputMissing,
  SourceUnavailable,
} from "../../src/domain/model/failure.ts";
import { parseDatasetId } from "../../src/domain/value-object/dataset-id.ts";
import { workflowIdOf } from "../../src/domain/value-object/run-identity.ts";
import { parseTargetDate, type TargetDate } from "../../src/domain/value-object/target-date.ts";
import { createTemporalRunOrchestrator } from "../../src/infrastructure/temporal/temporal-run-orchestrator.ts";
import { startAnalysisWorker } from "../../src/infrastructure/temporal/worker.ts";
import type { RunAnalysisUseCase } from "../../src/usecase/ports/input/run-analysis-usecase.ts";
import type { RunOrchestrator } from "../../src/usecase/ports/output/run-orchestrator.ts";
import { createFakeRunAnalysis, fakeOutput } from "../support/fake-run-analysis.ts";
import { eventually } from "../support/service.ts";
import { openWorkflowWorld, type WorkflowWorld } from "../support/workflow-world.ts";

const dataset = parseDatasetId("totals");
const date = parseTargetDate("2026-01-01");
const instead = { once: 1, twice: 2, always: Number.POSITIVE_INFINITY } as const;

let world: WorkflowWorld;
let days = 0;
const logged: string[] = [];

beforeAll(async () => {
  world = await openWorkflowWorld(inject("temporalAddress"), (line) => logged.push(line));
});

afterAll(() => world[Symbol.asyncDispose]());

/** A worker of this process on a task queue of its own, so that tests may run side by side. */
async function withWorker<T>(
  useCase: RunAnalysisUseCase,
  work: (world: { readonly taskQueue: string; readonly orchestrator: RunOrchestrator }) => Promise<T>,
): Promise<T> {
  const { target, workflowBundle } = world;
  const taskQueue = randomUUID();
  const activities = createRunAnalysisActivities(useCase);
  const worker = await startAnalysisWorker({ target, taskQueue, activities, maxActivities: 4, workflowBundle });
  const orchestrator = createTemporalRunOrchestrator(async () => world.client, taskQueue);
  return work({ taskQueue, orchestrator }).finally(() => worker.stop());
}

async function start(taskQueue: string, input: object = { dataset, date }): Promise<WorkflowHandle> {
  return world.client.workflow.start("runAnalysis", { workflowId: randomUUID(), taskQueue, args: [input] });
}

async function failureOfRun(handle: WorkflowHandle): Promise<ApplicationFailure> {
  const error: WorkflowFailedError = await handle.result().then(
    () => expect.fail("the run was expected to fail"),
    (thrown) => thrown,
  );
  if (error.cause instanceof ApplicationFailure) return error.cause;
  throw error;
}

/** Fails as often as told, then does the usual. */
function failing<T>(times: number, failure: () => unknown, usual: () => Promise<T>): () => Promise<T> {
  let failed = 0;
  return async () => {
    failed += 1;
    if (failed <= times) throw failure();
    return usual();
  };
}

const inspected = {
  kind: "inspected",
  inputs: [{ uri: "file:///input.csv" }],
  limits: { timeLimitSeconds: 60, heartbeatTimeoutMs: 2_000 },
  steps: { inspect: { ms: 1, peakMemoryBytes: 1 } },
} as const;

test.concurrent("a run takes the four steps in order, under its own run id and with its start as fence", async () => {
  const { useCase, calls, steps } = createFakeRunAnalysis();
  await withWorker(useCase, async ({ taskQueue }) => {
    const handle = await start(taskQueue, { dataset, date, mode: "changed" });
    expect(await handle.result()).toMatchObject({ dataset, date, outcome: "published", rows: 2 });
    const { runId, startTime, closeTime } = await handle.describe();
    const fence = calls[0]?.input.fence ?? "";
    for (const { input } of calls) expect(input).toEqual({ dataset, date, mode: "changed", runId, fence });
    expect(fence >= startTime.toISOString()).toBe(true);
    expect(fence < (closeTime?.toISOString() ?? "")).toBe(true);
  });
  expect(steps()).toEqual(["inspect", "load", "analyze", "save"]);
});

test.concurrent("a run identity or a fence in the request is not believed", async () => {
  const { useCase, calls } = createFakeRunAnalysis();
  await withWorker(useCase, async ({ taskQueue }) => {
    const forged = { dataset, date, runId: "forged", fence: "2999-01-01T00:00:00.000Z" };
    const handle = await start(taskQueue, forged);
    await handle.result();
    const { runId } = await handle.describe();
    expect(new Set(calls.map(({ input }) => input.runId))).toEqual(new Set([runId]));
    expect(calls.every(({ input }) => input.fence < "2999")).toBe(true);
  });
});

test.concurrent.each(["inspect", "load"] as const)("a run that has nothing to do after %s ends there", async (last) => {
  const { useCase, steps } = createFakeRunAnalysis({
    [last]: async (input: Parameters<RunAnalysisUseCase["inspect"]>[0]) => ({
      kind: "done",
      output: fakeOutput(input, "unchanged"),
    }),
  });
  await withWorker(useCase, async ({ taskQueue }) => {
    const handle = await start(taskQueue);
    expect(await handle.result()).toMatchObject({ outcome: "unchanged" });
  });
  expect(steps()).toEqual(last === "inspect" ? ["inspect"] : ["inspect", "load"]);
});

const retried = {
  "input-missing": 3,
  "input-changed": 3,
  "source-unavailable": 6,
  "store-unavailable": 8,
  crashed: 2,
} as const satisfies Partial<Record<FailureCode, number>>;

test.concurrent.each(failureCodes.filter((code) => !(code in retried)))(
  "%s fails the run at once, with its code, message and details",
  async (code) => {
    const { useCase, steps } = createFakeRunAnalysis({
      inspect: failing(
        instead.always,
        () => failureOf(code, "totals is at fault", { hint: 1 }),
        async () => inspected,
      ),
    });
    await withWorker(useCase, async ({ taskQueue, orchestrator }) => {
      const failure = await failureOfRun(await start(taskQueue));
      expect(failure).toMatchObject({ type: code, message: "totals is at fault", nonRetryable: true });
      expect(failure.details).toEqual([{ hint: 1 }]);
      const run = await orchestrator.start({ dataset, date: freshDate(), mode: "changed" });
      await expect(orchestrator.result(run)).rejects.toMatchObject({ code, details: { hint: 1 } });
    });
    expect(steps()).toEqual(["inspect", "inspect"]);
  },
);

test.concurrent("a missing input is looked for three times, 2 s and 4 s apart, and then fails the run", async () => {
  const { useCase, calls, steps } = createFakeRunAnalysis({
    inspect: failing(
      instead.always,
      () => new InputMissing("no file yet"),
      async () => inspected,
    ),
  });
  await withWorker(useCase, async ({ taskQueue }) => {
    const failure = await failureOfRun(await start(taskQueue));
    expect(failure).toMatchObject({ type: "input-missing", message: "no file yet" });
  });
  expect(steps()).toEqual(["inspect", "inspect", "inspect"]);
  const [first = 0, second = 0, third = 0] = calls.map(({ atMs }) => atMs);
  expect(second - first).toBeGreaterThanOrEqual(1_950);
  expect(third - second).toBeGreaterThanOrEqual(3_950);
});

test.concurrent("an input that arrives before the last look is published, and meanwhile the run says what it waits for", async () => {
  const { useCase, steps } = createFakeRunAnalysis({
    inspect: failing(
      instead.once,
      () => new InputMissing("no file yet"),
      async () => inspected,
    ),
  });
  await withWorker(useCase, async ({ taskQueue }) => {
    const handle = await start(taskQueue);
    await eventually(async () => (await currentDetails(handle)).includes("no file yet. Trying again in 2 s."));
    expect(await handle.result()).toMatchObject({ outcome: "published" });
  });
  expect(steps()).toEqual(["inspect", "inspect", "load", "analyze", "save"]);
});

test.concurrent("a source that asks for a pause gets it", async () => {
  const { useCase, calls } = createFakeRunAnalysis({
    load: failing(
      instead.once,
      () => new SourceUnavailable("busy", { details: { retryAfterMs: 3_000 } }),
      async () =>
        ({
          kind: "loaded",
          inputs: [],
          steps: { inspect: { ms: 1, peakMemoryBytes: 1 }, load: { ms: 1, peakMemoryBytes: 1 } },
        }) as const,
    ),
  });
  await withWorker(useCase, async ({ taskQueue }) => {
    expect(await (await start(taskQueue)).result()).toMatchObject({ outcome: "published" });
  });
  const [first = 0, second = 0] = calls.filter(({ step }) => step === "load").map(({ atMs }) => atMs);
  expect(second - first).toBeGreaterThanOrEqual(2_950);
});

test.concurrent("an input that changes while it is read sends the run back to its first look", async () => {
  const { useCase, steps } = createFakeRunAnalysis({
    load: failing(
      instead.once,
      () => new InputChanged("it changed"),
      async () =>
        ({
          kind: "loaded",
          inputs: [],
          steps: { inspect: { ms: 1, peakMemoryBytes: 1 }, load: { ms: 1, peakMemoryBytes: 1 } },
        }) as const,
    ),
  });
  await withWorker(useCase, async ({ taskQueue }) => {
    expect(await (await start(taskQueue)).result()).toMatchObject({ outcome: "published" });
  });
  expect(steps()).toEqual(["inspect", "load", "inspect", "load", "analyze", "save"]);
});

test.concurrent("an input that never holds still fails the run after three looks", async () => {
  const { useCase, steps } = createFakeRunAnalysis({
    analyze: failing(
      instead.always,
      () => new InputChanged("it changed"),
      () => Promise.reject(),
    ),
  });
  await withWorker(useCase, async ({ taskQueue }) => {
    expect(await failureOfRun(await start(taskQueue))).toMatchObject({ type: "input-changed" });
  });
  const round = ["inspect", "load", "analyze"];
  expect(steps()).toEqual([...round, ...round, ...round]);
});

test.concurrent.each([
  ["crashes", () => new Crashed("the engine aborted"), "the engine aborted"],
  ["meets a fault of this service", () => new TypeError("x is not a function"), "unexpected: x is not a function"],
] as const)("a calculation that %s is tried once more, then fails the run", async (_, failure, message) => {
  const { useCase, steps } = createFakeRunAnalysis({
    analyze: failing(instead.always, failure, () => Promise.reject()),
  });
  await withWorker(useCase, async ({ taskQueue }) => {
    expect(await failureOfRun(await start(taskQueue))).toMatchObject({ type: "crashed", message });
  });
  expect(steps()).toEqual(["inspect", "load", "analyze", "analyze"]);
});

test.concurrent.each(["save", "analyze"] as const)(
  "what is tried again in %s alone leaves the earlier steps alone",
  async (step) => {
    const usual = createFakeRunAnalysis().useCase;
    let failed = false;
    const { useCase, steps } = createFakeRunAnalysis({
      [step]: async (...args: never) => {
        if (!failed) {
          failed = true;
          throw failureOf("store-unavailable", "the store is away");
        }
        return (usual[step] as (...given: never) => unknown)(...args);
      },
    });
    await withWorker(useCase, async ({ taskQueue }) => {
      expect(await (await start(taskQueue)).result()).toMatchObject({ outcome: "published" });
    });
    const all = ["inspect", "load", "analyze", "save"];
    expect(steps()).toEqual(all.flatMap((name) => (name === step ? [name, name] : [name])));
  },
);

test.concurrent("a second request for the same date joins the run under way", async () => {
  const { gate, open } = createGate();
  const { useCase, steps } = createFakeRunAnalysis({
    load: async () => {
      await gate;
      return {
        kind: "loaded",
        inputs: [],
        steps: { inspect: { ms: 1, peakMemoryBytes: 1 }, load: { ms: 1, peakMemoryBytes: 1 } },
      };
    },
  });
  await withWorker(useCase, async ({ orchestrator }) => {
    const request = { dataset, date: freshDate(), mode: "changed" } as const;
    const first = await orchestrator.start(request);
    await eventually(() => steps().includes("load"));
    expect(await orchestrator.start(request)).toEqual(first);
    expect(await orchestrator.describe(request.dataset, request.date)).toMatchObject({ ...first, status: "running" });
    open();
    const outputs = await Promise.all([orchestrator.result(first), orchestrator.result(first)]);
    expect(outputs.map(({ manifest }) => manifest.runId)).toEqual([first.runId, first.runId]);
    const third = await orchestrator.start(request);
    expect(third.runId).not.toBe(first.runId);
    await orchestrator.result(third);
  });
  expect(steps().filter((step) => step === "load")).toHaveLength(2);
});

test.concurrent("a forced request stops the run under way, waits until its step has ended, and starts anew", async () => {
  const log: string[] = [];
  const { useCase } = createFakeRunAnalysis({
    load: async (input, _inspected, control) => {
      log.push(`load ${input.mode} begins`);
      if (input.mode !== "force") await endedBy(control?.signal, 500);
      log.push(`load ${input.mode} ends`);
      return {
        kind: "loaded",
        inputs: [],
        steps: { inspect: { ms: 1, peakMemoryBytes: 1 }, load: { ms: 1, peakMemoryBytes: 1 } },
      };
    },
  });
  await withWorker(useCase, async ({ orchestrator }) => {
    const request = { dataset, date: freshDate(), mode: "changed" } as const;
    const first = await orchestrator.start(request);
    const ended = orchestrator.result(first).catch((error: unknown) => error);
    await eventually(() => log.length === 1);
    const second = await orchestrator.start({ ...request, mode: "force" });
    expect(await ended).toMatchObject({ message: "the run was canceled" });
    expect(await orchestrator.result(second)).toMatchObject({ outcome: "published" });
    const canceled = await world.client.workflow.getHandle(first.workflowId, first.runId).describe();
    expect(canceled.status.name).toBe("CANCELLED");
  });
  expect(log).toEqual(["load changed begins", "load changed ends", "load force begins", "load force ends"]);
});

test.concurrent("a run whose step is done before it can be stopped is published, and says so", async () => {
  const { gate, open } = createGate();
  const { useCase, steps } = createFakeRunAnalysis({
    save: async (input) => {
      await gate;
      return fakeOutput(input);
    },
  });
  await withWorker(useCase, async ({ taskQueue }) => {
    const handle = await start(taskQueue);
    await eventually(() => steps().includes("save"));
    await handle.cancel();
    open();
    expect(await handle.result()).toMatchObject({ outcome: "published" });
  });
});

test.concurrent("a run that is canceled during a pause between two tries ends canceled", async () => {
  const { useCase, steps } = createFakeRunAnalysis({
    inspect: failing(
      instead.always,
      () => new InputMissing("no file yet"),
      async () => inspected,
    ),
  });
  await withWorker(useCase, async ({ taskQueue }) => {
    const handle = await start(taskQueue);
    await eventually(async () => (await currentDetails(handle)).includes("Trying again"));
    await handle.cancel();
    await expect(handle.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) });
    expect((await handle.describe()).status.name).toBe("CANCELLED");
  });
  expect(steps()).toHaveLength(1);
});

test.concurrent("runs are found by dataset and date, and carry a summary and what they came to", async () => {
  const { useCase } = createFakeRunAnalysis();
  await withWorker(useCase, async ({ orchestrator }) => {
    for (const [day, mode, summary] of [
      ["2026-04-01", "changed", "totals 2026-04-01"],
      ["2026-04-02", "force", "totals 2026-04-02, force"],
    ] as const) {
      const run = await orchestrator.start({ dataset, date: parseTargetDate(day), mode });
      await orchestrator.result(run);
      expect(run.workflowId).toBe(workflowIdOf(dataset, day));
      const handle = world.client.workflow.getHandle(run.workflowId, run.runId);
      const description = await handle.describe();
      expect(await description.staticSummary()).toBe(summary);
      expect(description.searchAttributes).toMatchObject({ AnalysisDataset: [dataset], AnalysisDate: [day] });
      expect(await currentDetails(handle)).toBe(`**published**: 2 rows, manifest \`totals/${day}/_manifests/1.json\``);
    }
    await eventually(async () => {
      const query = "AnalysisDataset = 'totals' AND AnalysisDate BETWEEN '2026-04-01' AND '2026-04-30'";
      const found: string[] = [];
      for await (const { workflowId } of world.client.workflow.list({ query })) found.push(workflowId);
      return (
        found.toSorted().join() === [workflowIdOf(dataset, "2026-04-01"), workflowIdOf(dataset, "2026-04-02")].join()
      );
    });
  });
});

test.concurrent("the state of a run is told for every way to end", async () => {
  let failure: AnalysisFailure | undefined;
  const { useCase } = createFakeRunAnalysis({
    load: async (_input, _inspected, control) => {
      if (failure !== undefined) throw failure;
      await endedBy(control?.signal, 0);
      throw control?.signal?.reason;
    },
  });
  await withWorker(useCase, async ({ orchestrator }) => {
    const day = freshDate();
    const request = { dataset, date: day, mode: "changed" } as const;
    expect(await orchestrator.describe(dataset, day)).toBeUndefined();

    const canceled = await orchestrator.start(request);
    expect(await orchestrator.describe(dataset, day)).toMatchObject({ ...canceled, status: "running" });
    await world.client.workflow.getHandle(canceled.workflowId).cancel();
    await expect(orchestrator.result(canceled)).rejects.toThrow("the run was canceled");
    expect(await orchestrator.describe(dataset, day)).toMatchObject({ ...canceled, status: "canceled" });

    const terminated = await orchestrator.start(request);
    await world.client.workflow.getHandle(terminated.workflowId).terminate();
    await expect(orchestrator.result(terminated)).rejects.toThrow("the run was terminated");
    expect(await orchestrator.describe(dataset, day)).toMatchObject({ ...terminated, status: "terminated" });

    failure = failureOf("checks-failed", "the audit said no");
    const failed = await orchestrator.start(request);
    await expect(orchestrator.result(failed)).rejects.toMatchObject({ code: "checks-failed" });
    expect(await orchestrator.describe(dataset, day)).toMatchObject({
      ...failed,
      status: "failed",
      failure: { code: "checks-failed", message: "the audit said no" },
    });
  });
});

test.concurrent("the stack of a fault of this service is in the worker's log and not in the history", async () => {
  const { useCase } = createFakeRunAnalysis({
    inspect: failing(
      instead.always,
      () => new TypeError("x is not a function"),
      async () => inspected,
    ),
  });
  await withWorker(useCase, async ({ taskQueue }) => {
    const handle = await start(taskQueue);
    await failureOfRun(handle);
    expect(JSON.stringify(await handle.fetchHistory())).not.toMatch(/ {4}at /);
    expect(logged.join("\n")).toMatch(
      /^ERROR a fault of this service: TypeError: x is not a function\n {4}at .*run-analysis\.test\.ts/m,
    );
  });
});

/** Of no other test, so that no run is joined by chance. */
function freshDate(): TargetDate {
  days += 1;
  return parseTargetDate(new Date(Date.UTC(2027, 0, days)).toISOString().slice(0, 10));
}

async function currentDetails(handle: WorkflowHandle): Promise<string> {
  const metadata = await handle.query<{ currentDetails?: string }>("__temporal_workflow_metadata");
  return metadata.currentDetails ?? "";
}

function createGate(): { readonly gate: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { gate: promise, open: resolve };
}

/** As work that takes a while to stop when it is told to. */
function endedBy(signal: AbortSignal | undefined, afterMs: number): Promise<void> {
  return new Promise((resolve) => {
    signal?.addEventListener("abort", () => setTimeout(resolve, afterMs), { once: true });
  });
}
