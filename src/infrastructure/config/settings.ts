import { tmpdir, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { BadRequest } from "../../domain/model/failure.ts";
import { defaultResultKey } from "../repository/result-layout.ts";
import { parseStoreAddress, type StoreAddress, storeAddressHint } from "./store-address.ts";

const port = z.coerce.number().int().min(0).max(65_535);
const positive = z.coerce.number().int().min(1);
const yesOrNo = z.stringbool({ truthy: ["true", "1"], falsy: ["false", "0"], error: "must be true or false" });
export const defaultDatasets = fileURLToPath(new URL("../../../datasets", import.meta.url));

/** Every setting, its default, and what it means: docs/settings.md says the same, and a test compares them. */
const environment = z.object({
  DATASETS: z.string().min(1).default(defaultDatasets),
  STORE_URL: z
    .string()
    .refine((text) => parseStoreAddress(text) !== undefined, storeAddressHint)
    .default("file:./data"),
  STORE_ACCEPT_UNSAFE: yesOrNo.default(false),
  S3_PATH_STYLE: yesOrNo.optional(),
  S3_SINGLE_PUT_MIB: positive.max(5120).default(5120),
  S3_ENCRYPTION: z.enum(["AES256", "aws:kms"]).optional(),
  S3_ENCRYPTION_KEY_ID: z.string().min(1).optional(),
  S3_TAGS: z
    .string()
    .refine(isTagging, "must be at most 10 tags as a query string, such as team=data&env=prod")
    .optional(),
  RESULT_KEY: z.string().min(1).default(defaultResultKey),
  SCRATCH_FOLDER: z.string().min(1).default(tmpdir()),
  // Longer than a step of a run may take with all its retries, which is 7 days.
  SWEEP_AFTER_HOURS: z.coerce.number().min(1).max(87_600).default(192),
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
  readonly store: StoreAddress;
  readonly acceptUnsafeStore: boolean;
  readonly s3: S3Settings;
  readonly resultKey: string;
  readonly scratchFolder: string;
  readonly sweepAfterHours: number;
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

/** For the store and for sources on S3. What AWS's own variables say is read by its client. */
export type S3Settings = {
  /** Nothing for AWS itself. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly pathStyle: boolean;
  readonly singlePutBytes: number;
  readonly encryption?: { readonly algorithm: "AES256" | "aws:kms"; readonly keyId?: string };
  readonly tags?: string;
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
    store: parseStoreAddress(values.STORE_URL) as StoreAddress,
    acceptUnsafeStore: values.STORE_ACCEPT_UNSAFE,
    s3: s3Settings(values, env),
    resultKey: values.RESULT_KEY,
    scratchFolder: values.SCRATCH_FOLDER,
    sweepAfterHours: values.SWEEP_AFTER_HOURS,
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

function s3Settings(values: z.infer<typeof environment>, env: NodeJS.ProcessEnv): S3Settings {
  const endpoint = env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"] || undefined;
  const algorithm = values.S3_ENCRYPTION;
  const keyId = values.S3_ENCRYPTION_KEY_ID;
  if (keyId !== undefined && algorithm !== "aws:kms") {
    throw new BadRequest(
      `S3_ENCRYPTION_KEY_ID: needs S3_ENCRYPTION=aws:kms, got ${JSON.stringify(algorithm) ?? "nothing"}`,
    );
  }
  return {
    endpoint,
    // A server of one's own has no regions, and its clients need one for their signature.
    region: env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || (endpoint ? "us-east-1" : undefined),
    pathStyle: values.S3_PATH_STYLE ?? Boolean(endpoint),
    singlePutBytes: values.S3_SINGLE_PUT_MIB * 2 ** 20,
    ...(algorithm === undefined ? {} : { encryption: { algorithm, ...(keyId === undefined ? {} : { keyId }) } }),
    ...(values.S3_TAGS === undefined ? {} : { tags: values.S3_TAGS }),
  };
}

function isTagging(text: string): boolean {
  const tags = text.split("&");
  return tags.length <= 10 && tags.every((tag) => /^[^=&\s]{1,128}=[^=&\s]{0,256}$/.test(tag));
}

/** Of the machine, or of the container where one is set. */
function availableBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
