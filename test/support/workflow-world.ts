import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@temporalio/client";
import {
  connectClient,
  readTemporalTarget,
  type TemporalTarget,
} from "../../src/infrastructure/temporal/connection.ts";
import { bundleWorkflows, installTemporalRuntime } from "../../src/infrastructure/temporal/worker.ts";
import { createNamespace } from "./temporal.ts";

/** What workers of this process need: a namespace of their own, and the real workflows as a bundle. */
export type WorkflowWorld = AsyncDisposable & {
  readonly target: TemporalTarget;
  readonly client: Client;
  /** Path of a file. */
  readonly workflowBundle: string;
};

/** Once in a test file, since it installs Temporal's runtime. */
export async function openWorkflowWorld(
  address: string,
  log: (line: string) => void = () => {},
): Promise<WorkflowWorld> {
  const runtime = installTemporalRuntime("error", log);
  const folder = await mkdtemp(join(tmpdir(), "workflow-world-"));
  const workflowBundle = join(folder, "workflows.js");
  await writeFile(workflowBundle, (await bundleWorkflows()).code);
  const target = readTemporalTarget({ TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: await createNamespace(address) });
  const client = await connectClient(target);
  return {
    target,
    client,
    workflowBundle,
    async [Symbol.asyncDispose]() {
      await client.connection.close();
      await runtime[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
