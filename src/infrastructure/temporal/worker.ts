import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  bundleWorkflowCode,
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
} from "@temporalio/worker";
import { BadRequest } from "../../domain/model/failure.ts";
import { type TemporalTarget, temporalAway, withClient } from "./connection.ts";
import { requireSearchAttributes } from "./search-attributes.ts";

const workflowsPath = fileURLToPath(new URL("../../../workflows/index.ts", import.meta.url));

export type AnalysisWorkerOptions = {
  readonly target: TemporalTarget;
  readonly taskQueue: string;
  readonly activities: object;
  readonly maxActivities: number;
  /** A bundle that was built ahead; without one it is built now, which takes a second. */
  readonly workflowBundle: string | undefined;
};

/** A running worker. */
export type AnalysisWorker = {
  /** Settles when the worker has ended; rejects when it failed. */
  readonly done: Promise<void>;
  /** Stops polling, lets the running steps end or hands them over, and settles when the worker is gone. */
  stop(): Promise<void>;
};

const graceMs = 2_000;

/** Temporal tells at INFO of every state of a worker, which is detail here. */
const levels = { trace: "TRACE", debug: "DEBUG", info: "WARN", warn: "WARN", error: "ERROR" } as const;

/**
 * Once in a process, before the first worker: how much Temporal's own code says, and where. It ends with the last worker;
 * where none came to be it keeps the process alive until it is disposed.
 */
export function installTemporalRuntime(level: keyof typeof levels, write: (line: string) => void): AsyncDisposable {
  const runtime = Runtime.install({
    logger: new DefaultLogger(levels[level], ({ level: name, message, meta }) => {
      const { error, stack } = meta ?? {};
      write([`${name} ${message}`, stack ?? (error instanceof Error ? error.message : [])].flat().join(": "));
    }),
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: "ERROR", other: "ERROR" }), forward: {} },
    },
    shutdownSignals: [],
  });
  return { [Symbol.asyncDispose]: () => runtime.shutdown() };
}

/**
 * @throws StoreUnavailable when the server is away or its namespace lacks the search attributes
 */
export async function startAnalysisWorker(options: AnalysisWorkerOptions): Promise<AnalysisWorker> {
  const { target } = options;
  await withClient(target, requireSearchAttributes);
  const connection = await NativeConnection.connect(target.connectionOptions).catch((cause: unknown) => {
    throw temporalAway(target, cause);
  });
  const worker = await createWorker(connection, options).catch(async (error: unknown) => {
    await connection.close();
    throw error;
  });
  const done = worker.run().finally(() => connection.close());
  return {
    done,
    async stop() {
      if (worker.getState() === "RUNNING") worker.shutdown();
      await done;
    },
  };
}

async function createWorker(connection: NativeConnection, options: AnalysisWorkerOptions): Promise<Worker> {
  return Worker.create({
    connection,
    namespace: options.target.namespace,
    taskQueue: options.taskQueue,
    activities: options.activities,
    maxConcurrentActivityTaskExecutions: options.maxActivities,
    // A cancel is seen within a heartbeat: a second at the most.
    maxHeartbeatThrottleInterval: "1 second",
    defaultHeartbeatThrottleInterval: "1 second",
    shutdownGraceTime: graceMs,
    shutdownForceTime: graceMs * 5,
    ...(await workflowCode(options.workflowBundle)),
  });
}

async function workflowCode(bundle: string | undefined): Promise<Pick<WorkerOptions, "workflowBundle">> {
  if (bundle === undefined) return { workflowBundle: await bundleWorkflows() };
  const code = await readFile(bundle, "utf8").catch((cause: unknown) => {
    throw new BadRequest(`WORKFLOW_BUNDLE must be a file of \`npm run build:workflows\`, ${bundle} cannot be read`, {
      cause,
    });
  });
  return { workflowBundle: { code } };
}

export async function bundleWorkflows(): Promise<{ readonly code: string }> {
  return bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger("ERROR") });
}
