import type { WorkflowHandle } from "@temporalio/client";
import type { runAnalysis } from "../../workflows/run-analysis.ts";
import type { Random } from "../simulation/random.ts";
import { createServiceWithTemporal } from "../support/service.ts";
import { startTestServer } from "../support/temporal.ts";
import type { Pace } from "./job-kills.ts";
import { noteFaults } from "./ledger.ts";
import { dataset, dates } from "./store-access.ts";
import type { World } from "./world.ts";

/** temporal.api.enums.v1.PendingActivityState */
const startedState = 2;
/** Of a worker, which has its store prove itself first. */
const startLimitMs = 90_000;
const runLimitMs = 120_000;
const reach = 1.1;

/** Kills workers while they save, and lets the next one finish what they have begun. */
export async function killWorkers(
  world: World,
  pace: Pace,
  { random, kills, onKill }: { readonly random: Random; readonly kills: number; readonly onKill: () => void },
): Promise<void> {
  const { limits, ledger } = world;
  await using server = await limits.within(startLimitMs, "the start of Temporal", startTestServer());
  await using service = await createServiceWithTemporal(server.address, {
    ...withoutTemporary(world.service.env),
    HEARTBEAT_TIMEOUT_SECONDS: "1",
  });
  const startWorker = () => limits.within(startLimitMs, "the start of a worker", service.worker());
  let worker = await startWorker();
  for (let killed = 0; killed < kills; killed += 1) {
    const date = dates[killed % dates.length] ?? "";
    world.readers.watch(date);
    await world.newInput(date);
    const run = await service.client.workflow.start<typeof runAnalysis>("runAnalysis", {
      workflowId: `analysis/${dataset}/${date}`,
      taskQueue: "analysis",
      args: [{ dataset, date, mode: "force" }],
    });
    const { runId, startTime } = await run.describe();
    world.noteIntent(date, { runId, fence: startTime.toISOString() });

    await limits.within(runLimitMs, `the way to save of ${runId}`, saving(run));
    await limits.sleep(random.next() * reach * pace.usualMs());
    worker.kill("SIGKILL");
    await limits.within(startLimitMs, "the end of a worker", worker.ended);
    ledger.kills.worker[await world.seePhase(date, runId)] += 1;
    onKill();

    ledger.restarts += 1;
    worker = await startWorker();
    const { outcome, manifest } = await limits.within(runLimitMs, `the run ${runId} of ${date}`, run.result());
    const answer = { runId, fence: startTime.toISOString(), outcome, manifest: manifest.key };
    ledger.answers.set(date, [...(ledger.answers.get(date) ?? []), answer]);
    await world.check(date);
  }
  worker.kill("SIGTERM");
  const { status, err } = await limits.within(startLimitMs, "the end of the last worker", worker.ended);
  if (status !== 0) noteFaults(ledger, [{ kind: "other", sentence: `the last worker ended with ${status}: ${err}` }]);
}

/** Settles when the step `save` is at a worker, or the run has ended. */
async function saving(run: WorkflowHandle): Promise<void> {
  for (;;) {
    const { raw, status } = await run.describe();
    if (status.name !== "RUNNING") return;
    const pending = raw.pendingActivities ?? [];
    if (pending.some(({ activityType, state }) => activityType?.name === "save" && state === startedState)) return;
  }
}

/** The service of the workers has a folder for temporary files of its own, by which its processes are known. */
function withoutTemporary({ TMPDIR: _, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("TEMPORAL_")));
}
