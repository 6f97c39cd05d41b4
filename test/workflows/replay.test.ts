import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { bundleWorkflowCode, DefaultLogger, Worker } from "@temporalio/worker";
import { DeterminismViolationError } from "@temporalio/workflow";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleWorkflows, installTemporalRuntime } from "../../src/infrastructure/temporal/worker.ts";

const folder = new URL("histories/", import.meta.url);
const names = readdirSync(folder).map((name) => name.replace(/\.json$/, ""));
let runtime: AsyncDisposable;
let workflowBundle: { readonly code: string };

beforeAll(async () => {
  runtime = installTemporalRuntime("error", () => {});
  workflowBundle = await bundleWorkflows();
});

afterAll(() => runtime[Symbol.asyncDispose]());

async function history(name: string) {
  return JSON.parse(await readFile(new URL(`${name}.json`, folder), "utf8"));
}

test("there is a saved run for each way to end", () => {
  const script = fileURLToPath(new URL("save-histories.ts", import.meta.url));
  expect(names, `node ${script} makes them`).toEqual([
    "backfilled",
    "canceled",
    "checks-failed",
    "daily-met",
    "daily",
    "published",
    "retried",
    "swept",
    "unchanged",
  ]);
});

test.each(names)("a saved run that was %s goes on with the workflow of today", async (name) => {
  await Worker.runReplayHistory({ workflowBundle }, await history(name));
});

test.each(names)("the saved %s run carries the flags without which a replay sees no difference", async (name) => {
  const { events } = await history(name);
  const flags = events.flatMap(
    (event: { workflowTaskCompletedEventAttributes?: { sdkMetadata?: { coreUsedFlags?: number[] } } }) =>
      event.workflowTaskCompletedEventAttributes?.sdkMetadata?.coreUsedFlags ?? [],
  );
  expect(flags).toEqual(expect.arrayContaining([1, 2, 3]));
});

test.each(names)("a workflow that calls the activities in another order cannot go on with the %s run", async (name) => {
  const workflowsPath = fileURLToPath(new URL("reordered-workflows.ts", import.meta.url));
  const reordered = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger("ERROR") });
  const replay = Worker.runReplayHistory({ workflowBundle: reordered }, await history(name));
  await expect(replay).rejects.toThrow(DeterminismViolationError);
});
