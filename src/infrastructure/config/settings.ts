import { tmpdir, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { BadRequest } from "../../domain/model/failure.ts";
import { defaultResultKey } from "../repository/result-layout.ts";

const port = z.coerce.number().int().min(0).max(65_535);
const positive = z.coerce.number().int().min(1);
export const defaultDatasets = fileURLToPath(new URL("../../../datasets", import.meta.url));

/** Every setting, its default, and what it means: docs/settings.md says the same, and a test compares them. */
const environment = z.object({
  DATASETS: z.string().min(1).default(defaultDatasets),
  STORE_URL: z
    .string()
    .regex(/^file:(?!\/\/(?!\/)).+$/, "must be file:<folder>, such as file:./data or file:///srv/data")
    .default("file:./data"),
  RESULT_KEY: z.string().min(1).default(defaultResultKey),
  SCRATCH_FOLDER: z.string().min(1).default(tmpdir()),
  WORKER_MEMORY_MIB: positive.default(Math.floor((availableBytes() / 2 ** 20) * 0.6)),
  WORKER_ACTIVITIES: positive.default(8),
  WARM_CHILDREN: z.coerce.number().int().min(0).max(64).default(2),
  HEARTBEAT_TIMEOUT_SECONDS: z.coerce.number().min(1).max(600).default(10),
  TASK_QUEUE: z.string().min(1).default("analysis"),
  WORKFLOW_BUNDLE: z.string().min(1).optional(),
  TEMPORAL_BINARY: z.string().min(1).optional(),
  TEMPORAL_DEV_PORT: port.default(7233),
  TEMPORAL_DEV_UI_PORT: port.default(8233),
  TEMPORAL_DEV_DATABASE: z.string().min(1).default(".temporal/temporal.db"),
  API_HOST: z.string().min(1).default("127.0.0.1"),
  API_PORT: port.default(8080),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error"]).default("info"),
});

export type Settings = {
  readonly datasetsFolder: string;
  readonly storeFolder: string;
  readonly resultKey: string;
  readonly scratchFolder: string;
  readonly workerMemoryBytes: number;
  readonly workerActivities: number;
  readonly warmChildren: number;
  readonly heartbeatTimeoutMs: number;
  readonly taskQueue: string;
  readonly workflowBundle: string | undefined;
  readonly temporalBinary: string | undefined;
  readonly temporalDevPort: number;
  readonly temporalDevUiPort: number;
  readonly temporalDevDatabase: string;
  readonly apiHost: string;
  readonly apiPort: number;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error";
};

export const settingNames = Object.keys(environment.shape);

/**
 * A variable that is empty or blank counts as one that is not set.
 * @throws BadRequest with every setting that is wrong, one a line
 */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const parsed = environment.safeParse(
    Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim() !== "")),
  );
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      return `${name}: ${issue.message}, got ${JSON.stringify(env[name])}`;
    });
    throw new BadRequest(faults.join("\n"));
  }
  const values = parsed.data;
  return {
    datasetsFolder: values.DATASETS,
    storeFolder: values.STORE_URL.replace(/^file:(?:\/\/(?=\/))?/, ""),
    resultKey: values.RESULT_KEY,
    scratchFolder: values.SCRATCH_FOLDER,
    workerMemoryBytes: values.WORKER_MEMORY_MIB * 2 ** 20,
    workerActivities: values.WORKER_ACTIVITIES,
    warmChildren: values.WARM_CHILDREN,
    heartbeatTimeoutMs: values.HEARTBEAT_TIMEOUT_SECONDS * 1000,
    taskQueue: values.TASK_QUEUE,
    workflowBundle: values.WORKFLOW_BUNDLE,
    temporalBinary: values.TEMPORAL_BINARY,
    temporalDevPort: values.TEMPORAL_DEV_PORT,
    temporalDevUiPort: values.TEMPORAL_DEV_UI_PORT,
    temporalDevDatabase: values.TEMPORAL_DEV_DATABASE,
    apiHost: values.API_HOST,
    apiPort: values.API_PORT,
    logLevel: values.LOG_LEVEL,
  };
}

/** Of the machine, or of the container where one is set. */
function availableBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
