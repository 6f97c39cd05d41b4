import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Client } from "@temporalio/client";
import packageJson from "../package.json" with { type: "json" };
import { StoreUnavailable } from "./domain/model/failure.ts";
import {
  type ChildProcessAnalyzerOptions,
  createChildProcessAnalyzer,
} from "./infrastructure/compute/child-process-analyzer.ts";
import { createKeptChildren, mostKeptChildren } from "./infrastructure/compute/kept-children.ts";
import { createMemoryBudget } from "./infrastructure/compute/memory-budget.ts";
import { createWarmChildren, timeWarmUp } from "./infrastructure/compute/warm-children.ts";
import { loadDatasetCatalog } from "./infrastructure/config/dataset-catalog.ts";
import { defaultDatasets, readSettings, type Settings, settingNames } from "./infrastructure/config/settings.ts";
import type { Stage } from "./infrastructure/loader/body-file.ts";
import { checkSource } from "./infrastructure/loader/expand-source.ts";
import { createFileDatasetLoader } from "./infrastructure/loader/file-dataset-loader.ts";
import { createHttpDatasetLoader } from "./infrastructure/loader/http-dataset-loader.ts";
import { createRoutingDatasetLoader } from "./infrastructure/loader/routing-dataset-loader.ts";
import { createS3DatasetLoader } from "./infrastructure/loader/s3-dataset-loader.ts";
import { createLocalScratch } from "./infrastructure/local-scratch.ts";
import { createResultIndex } from "./infrastructure/repository/object-result-index.ts";
import { createObjectResultRepository } from "./infrastructure/repository/object-result-repository.ts";
import { createResultLayout } from "./infrastructure/repository/result-layout.ts";
import { stageFile } from "./infrastructure/repository/stage-file.ts";
import { createStagingArea } from "./infrastructure/repository/staging-area.ts";
import { openFileObjectStore } from "./infrastructure/store/file-object-store.ts";
import type { ObjectStore } from "./infrastructure/store/object-store.ts";
import { establishTrust, type Trust } from "./infrastructure/store/store-proofs.ts";
import { defaultCacheFolder } from "./infrastructure/temporal/pinned-package.ts";
import type { CliServices, Development, DoctorCheck, PreparedNamespace } from "./interface/cli/cli-services.ts";
import { polarsVersion } from "./usecase/calculation/engine.ts";
import { createBackfillInteractor } from "./usecase/interactor/backfill-interactor.ts";
import { createCarryOutBackfillInteractor } from "./usecase/interactor/carry-out-backfill-interactor.ts";
import { createDailyAnalysisInteractor } from "./usecase/interactor/daily-analysis-interactor.ts";
import { createHistoryInteractor } from "./usecase/interactor/history-interactor.ts";
import { createManageSchedulesInteractor } from "./usecase/interactor/manage-schedules-interactor.ts";
import { createPlanInteractor, type PlanPorts } from "./usecase/interactor/plan-interactor.ts";
import { createRunAnalysisInteractor } from "./usecase/interactor/run-analysis-interactor.ts";
import { createShowResultInteractor } from "./usecase/interactor/show-result-interactor.ts";
import { createStatusInteractor } from "./usecase/interactor/status-interactor.ts";
import { createSubmitAnalysisInteractor } from "./usecase/interactor/submit-analysis-interactor.ts";
import { createSweepInteractor } from "./usecase/interactor/sweep-interactor.ts";
import type { BackfillUseCase } from "./usecase/ports/input/backfill-usecase.ts";
import type { ManageSchedulesUseCase } from "./usecase/ports/input/manage-schedules-usecase.ts";
import type { PlanUseCase } from "./usecase/ports/input/plan-usecase.ts";
import type { RunAnalysisUseCase } from "./usecase/ports/input/run-analysis-usecase.ts";
import type { ShowResultUseCase } from "./usecase/ports/input/show-result-usecase.ts";
import type { StatusUseCase } from "./usecase/ports/input/status-usecase.ts";
import type { SubmitAnalysisUseCase } from "./usecase/ports/input/submit-analysis-usecase.ts";
import type { SweepUseCase } from "./usecase/ports/input/sweep-usecase.ts";
import type { BackfillOrchestrator } from "./usecase/ports/output/backfill-orchestrator.ts";
import type { DatasetCatalog } from "./usecase/ports/output/dataset-catalog.ts";
import type { DatasetLoader } from "./usecase/ports/output/dataset-loader.ts";
import type { ResultIndex } from "./usecase/ports/output/result-index.ts";
import type { ResultRepository } from "./usecase/ports/output/result-repository.ts";
import type { RunOrchestrator } from "./usecase/ports/output/run-orchestrator.ts";
import type { StagingArea } from "./usecase/ports/output/staging-area.ts";

const serviceVersion = packageJson.version;
const childMain = fileURLToPath(new URL("main-analysis-child.ts", import.meta.url));

/** The parts that every entry point shares. */
export type Core = AsyncDisposable & {
  readonly settings: Settings;
  readonly catalog: DatasetCatalog;
  readonly store: ObjectStore;
  readonly index: ResultIndex;
  readonly repository: ResultRepository;
  readonly staging: StagingArea;
};

export function wireCatalog(settings: Settings): Promise<DatasetCatalog> {
  return loadDatasetCatalog(settings.datasetsFolder, ({ definition }) => checkSource(definition.source));
}

/**
 * How the store proves that it is safe to publish to: `now`; `once` in a while on this machine, which a folder that has
 * the kernel's locks does not need; or not at all, for who only reads.
 */
export type ProofOfStore = "now" | "once" | "never";

/** @throws BadRequest when a definition or RESULT_KEY is wrong, StoreUnavailable or StoreUnsafe when the store is */
export async function wireCore(
  settings: Settings,
  proof: ProofOfStore,
  onNote: (sentence: string) => void = () => {},
): Promise<Core> {
  const catalog = await wireCatalog(settings);
  const layout = createResultLayout(
    settings.resultKey,
    catalog.list().map(({ id }) => id),
  );
  const store = await openStore(settings);
  try {
    const { mostBytes, note } = await trustIn(store, settings, proof);
    if (note !== undefined) onNote(note);
    const index = createResultIndex(store, layout);
    const repository = createObjectResultRepository(store, layout, index, mostBytes);
    const staging = createStagingArea(store, layout);
    const dispose = async () => store[Symbol.dispose]();
    return { settings, catalog, store, index, repository, staging, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    store[Symbol.dispose]();
    throw error;
  }
}

/** AWS's client is loaded only where it is needed: it takes longer than a small run. */
async function openStore({ store, s3, scratchFolder }: Settings): Promise<ObjectStore & Disposable> {
  if (store.kind === "file") return openFileObjectStore(store.folder);
  const { createS3Client } = await import("./infrastructure/store/s3-client.ts");
  const { openS3ObjectStore } = await import("./infrastructure/store/s3-object-store.ts");
  const { bucket, prefix } = store;
  return openS3ObjectStore({ ...s3, client: createS3Client(s3), bucket, prefix, scratchFolder });
}

async function trustIn(store: ObjectStore, settings: Settings, proof: ProofOfStore): Promise<Trust> {
  if (proof === "never" || (proof === "once" && settings.store.kind === "file")) {
    return { mostBytes: Number.POSITIVE_INFINITY };
  }
  return establishTrust(store, {
    scratchFolder: settings.scratchFolder,
    server: `${settings.s3.endpoint ?? "AWS"} ${settings.s3.region}`,
    acceptUnsafe: settings.acceptUnsafeStore,
    // The kernel's locks are not in doubt: a folder is only tried.
    ...(settings.store.kind === "file" ? { enoughMs: 0 } : {}),
    ...(proof === "now" ? {} : { proofsFolder: join(defaultCacheFolder(), "stores") }),
  });
}

/**
 * @param calculations `one`: the process ends after it; `many`: children are forked ahead again and again
 * @returns in `manySmall` the same for days that a backfill calculates in a row: their children are kept
 */
export function wireRunAnalysis(
  core: Core,
  calculations: "one" | "many",
): {
  readonly useCase: RunAnalysisUseCase;
  readonly manySmall: RunAnalysisUseCase;
  readonly loader: DatasetLoader;
} & AsyncDisposable {
  const { settings, store, catalog, repository } = core;
  const children = createWarmChildren({
    main: childMain,
    env: process.env,
    spares: calculations === "one" ? 0 : settings.warmChildren,
    definitions: catalog.list().map(({ file }) => file),
  });
  const kept = createKeptChildren(children);
  const { scratchFolder } = settings;
  const sources = lazyS3Client(settings);
  const loader = createLoader(core, sources);
  const budget = createMemoryBudget(settings.workerMemoryBytes);
  const interactor = (of: Pick<ChildProcessAnalyzerOptions, "children" | "atMost">) =>
    createRunAnalysisInteractor({
      catalog,
      repository,
      loader,
      analyzer: createChildProcessAnalyzer({
        ...of,
        store,
        budget,
        scratchFolder,
        async cloudOptions(bucket) {
          const { cloudOptionsOf } = await import("./infrastructure/store/s3-cloud-options.ts");
          return cloudOptionsOf(await sources.get(), bucket);
        },
      }),
      engine: { service: serviceVersion, polars: polarsVersion, node: process.versions.node },
      heartbeatTimeoutMs: settings.heartbeatTimeoutMs,
      peakMemoryBytes: () => process.resourceUsage().maxRSS * 1024,
    });
  const dispose = async () => {
    await kept[Symbol.asyncDispose]();
    await children[Symbol.asyncDispose]();
    await sources.close();
  };
  return {
    useCase: interactor({ children }),
    manySmall: interactor({ children: kept, atMost: mostKeptChildren }),
    loader,
    [Symbol.asyncDispose]: dispose,
  };
}

function createLoader({ settings, store }: Pick<Core, "settings" | "store">, sources: LazyS3Client): DatasetLoader {
  const { scratchFolder } = settings;
  const stage: Stage = (...file) => stageFile(store, ...file);
  return createRoutingDatasetLoader({
    file: createFileDatasetLoader(),
    http: createHttpDatasetLoader({ scratchFolder, stage }),
    s3: createS3DatasetLoader({ scratchFolder, stage, client: sources.get }),
  });
}

type LazyS3Client = { readonly get: () => Promise<S3Client>; readonly close: () => Promise<void> };

/** For sources on S3, made when the first one is read. */
function lazyS3Client({ s3 }: Settings): LazyS3Client {
  let client: Promise<S3Client> | undefined;
  const create = async () => (await import("./infrastructure/store/s3-client.ts")).createS3Client(s3);
  return {
    get: () => {
      client ??= create();
      return client;
    },
    close: async () => (await client)?.destroy(),
  };
}

export function wireShowResult({ catalog, repository }: Core): { readonly useCase: ShowResultUseCase } {
  return { useCase: createShowResultInteractor(catalog, repository) };
}

/** Temporal's client is loaded when it is asked the first time: the store alone is faster than that. */
function lazyOrchestrator(
  settings: Settings,
  env: NodeJS.ProcessEnv,
): { readonly get: () => ReturnType<typeof wireOrchestrator> } & AsyncDisposable {
  let wired: ReturnType<typeof wireOrchestrator> | undefined;
  const get = () => {
    wired ??= wireOrchestrator(settings, env);
    return wired;
  };
  return { get, [Symbol.asyncDispose]: async () => (await wired)?.[Symbol.asyncDispose]() };
}

function wireStatus(
  { catalog, index, settings }: Pick<Core, "catalog" | "index" | "settings">,
  env: NodeJS.ProcessEnv,
): { readonly useCase: StatusUseCase } & AsyncDisposable {
  const temporal = lazyOrchestrator(settings, env);
  const useCase = createStatusInteractor({
    catalog,
    index,
    now: () => new Date(),
    orchestrator: { statesOf: async (...args) => (await temporal.get()).orchestrator.statesOf(...args) },
    backfills: { underWay: async (...args) => (await temporal.get()).backfills.underWay(...args) },
  });
  return { useCase, [Symbol.asyncDispose]: () => temporal[Symbol.asyncDispose]() };
}

/** Temporal's client is loaded here and connects when it is first used: `run` and `show` do without. */
async function wireClient(
  env: NodeJS.ProcessEnv,
): Promise<{ readonly connect: () => Promise<Client> } & AsyncDisposable> {
  const { connectClient, readTemporalTarget } = await import("./infrastructure/temporal/connection.ts");
  const target = readTemporalTarget(env);
  let client: ReturnType<typeof connectClient> | undefined;
  const connect = () => {
    client ??= connectClient(target).catch((error: unknown) => {
      client = undefined;
      throw error;
    });
    return client;
  };
  return {
    connect,
    [Symbol.asyncDispose]: async () => (await client?.catch(() => undefined))?.connection.close(),
  };
}

async function wireOrchestrator(
  settings: Settings,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly orchestrator: RunOrchestrator; readonly backfills: BackfillOrchestrator } & AsyncDisposable> {
  const { createTemporalBackfillOrchestrator } = await import(
    "./infrastructure/temporal/temporal-backfill-orchestrator.ts"
  );
  const { createTemporalRunOrchestrator } = await import("./infrastructure/temporal/temporal-run-orchestrator.ts");
  const { connect, ...rest } = await wireClient(env);
  return {
    orchestrator: createTemporalRunOrchestrator(connect, settings.taskQueue),
    backfills: createTemporalBackfillOrchestrator(connect, settings.taskQueue),
    ...rest,
  };
}

async function wireSchedules(
  settings: Settings,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly useCase: ManageSchedulesUseCase } & AsyncDisposable> {
  const { createTemporalScheduleBook } = await import("./infrastructure/temporal/temporal-schedule-book.ts");
  const catalog = await wireCatalog(settings);
  const { connect, ...rest } = await wireClient(env);
  const book = createTemporalScheduleBook(connect, settings.taskQueue);
  return { useCase: createManageSchedulesInteractor(catalog, book), ...rest };
}

export async function wireSubmitAnalysis(
  { catalog, settings }: Pick<Core, "catalog" | "settings">,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly useCase: SubmitAnalysisUseCase } & AsyncDisposable> {
  const { orchestrator, ...rest } = await wireOrchestrator(settings, env);
  return { ...rest, useCase: createSubmitAnalysisInteractor(catalog, orchestrator) };
}

/** Reads sources itself, as a worker does, and calculates nothing. */
function wirePlan(core: Core, env: NodeJS.ProcessEnv): { readonly useCase: PlanUseCase } & AsyncDisposable {
  const parts = new AsyncDisposableStack();
  const sources = lazyS3Client(core.settings);
  parts.defer(sources.close);
  const temporal = parts.use(lazyOrchestrator(core.settings, env));
  const useCase = createPlan(core, createLoader(core, sources), {
    statesOf: async (...args) => (await temporal.get()).orchestrator.statesOf(...args),
    describe: async (...args) => (await temporal.get()).orchestrator.describe(...args),
  });
  return { useCase, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

function createPlan(
  { catalog, repository }: Core,
  loader: DatasetLoader,
  orchestrator: PlanPorts["orchestrator"],
): PlanUseCase {
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  return createPlanInteractor({ catalog, loader, repository, orchestrator, sha256 });
}

async function wireBackfill(
  core: Core,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly useCase: BackfillUseCase } & AsyncDisposable> {
  const parts = new AsyncDisposableStack();
  const { orchestrator, backfills } = parts.use(await wireOrchestrator(core.settings, env));
  const plan = parts.use(wirePlan(core, env)).useCase;
  const useCase = createBackfillInteractor({ catalog: core.catalog, plan, backfills, runs: orchestrator });
  return { useCase, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

async function wireSweep(
  { staging, settings }: Pick<Core, "staging" | "settings">,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly useCase: SweepUseCase } & AsyncDisposable> {
  const { orchestrator, ...rest } = await wireOrchestrator(settings, env);
  // Children warm up in the system's folder, whatever SCRATCH_FOLDER says.
  const scratch = createLocalScratch([settings.scratchFolder, tmpdir()]);
  const useCase = createSweepInteractor({ staging, scratch, orchestrator, defaultHours: settings.sweepAfterHours });
  return { useCase, ...rest };
}

export type WiredWorker = AsyncDisposable & {
  readonly address: string;
  /** Settles when the worker has ended. */
  readonly done: Promise<void>;
};

/** A worker of this process, with its own children. Stopped when disposed. */
export async function wireWorker(core: Core, env: NodeJS.ProcessEnv): Promise<WiredWorker> {
  const { readTemporalTarget } = await import("./infrastructure/temporal/connection.ts");
  const { startAnalysisWorker } = await import("./infrastructure/temporal/worker.ts");
  const { createRunAnalysisActivities } = await import("../activities/run-analysis-activities.ts");
  const { createDailyAnalysisActivities } = await import("../activities/daily-analysis-activities.ts");
  const { createBackfillActivities } = await import("../activities/backfill-activities.ts");
  const { createSweepActivities } = await import("../activities/sweep-activities.ts");
  const { settings } = core;
  const target = readTemporalTarget(env);
  const parts = new AsyncDisposableStack();
  try {
    const sweep = parts.use(await wireSweep(core, env));
    // What cannot be removed is told by the daily sweep.
    await sweep.useCase.sweepScratch().catch(() => undefined);
    const run = parts.use(wireRunAnalysis(core, "many"));
    const { orchestrator } = parts.use(await wireOrchestrator(settings, env));
    const { catalog, repository } = core;
    const daily = createDailyAnalysisInteractor({ catalog, repository, loader: run.loader, orchestrator });
    const backfill = createCarryOutBackfillInteractor({
      catalog,
      plan: createPlan(core, run.loader, orchestrator),
      run: run.manySmall,
      repository,
      runs: orchestrator,
      heartbeatTimeoutMs: settings.heartbeatTimeoutMs,
    });
    const worker = await startAnalysisWorker({
      target,
      taskQueue: settings.taskQueue,
      activities: {
        ...createRunAnalysisActivities(run.useCase),
        ...createDailyAnalysisActivities(daily),
        ...createBackfillActivities(backfill),
        ...createSweepActivities(sweep.useCase),
      },
      maxActivities: settings.workerActivities,
      workflowBundle: settings.workflowBundle,
    });
    parts.defer(() => worker.stop());
    return { done: worker.done, address: target.address, [Symbol.asyncDispose]: () => parts.disposeAsync() };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

export async function wireApi(
  core: Core,
  submit: SubmitAnalysisUseCase,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const { createApi } = await import("./interface/api/create-api.ts");
  const { listen } = await import("./interface/api/listen.ts");
  const { apiHost: host, apiPort: port } = core.settings;
  return listen(createApi({ submit, show: wireShowResult(core).useCase }), { host, port });
}

/** Temporal's development server, a worker and, where asked for, the API, all in this process. */
async function wireDevelopment(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  withApi: boolean,
  onProgress: (sentence: string) => void,
): Promise<Development & AsyncDisposable> {
  const { startDevServer } = await import("./infrastructure/temporal/dev-server.ts");
  const { installTemporalRuntime } = await import("./infrastructure/temporal/worker.ts");
  const { runAttributes } = await import("./domain/value-object/run-identity.ts");
  const parts = new AsyncDisposableStack();
  try {
    const core = parts.use(await wireCore(settings, "now", onProgress));
    const dbFile = settings.temporalDevDatabase;
    const server = parts.use(
      await startDevServer({
        binary: await findBinary(settings, onProgress),
        port: settings.temporalDevPort,
        uiPort: settings.temporalDevUiPort,
        dbFile,
        logFile: `${dbFile}.log`,
        searchAttributes: { [runAttributes.dataset]: "Keyword", [runAttributes.date]: "Keyword" },
      }),
    );
    const here = { ...withoutTemporal(env), TEMPORAL_ADDRESS: server.address };
    parts.use(installTemporalRuntime("error", onProgress));
    const worker = parts.use(await wireWorker(core, here));
    await prepareNamespace(settings, here);
    const submit = parts.use(await wireSubmitAnalysis(core, here));
    const api = withApi ? parts.use(await wireApi(core, submit.useCase)) : undefined;
    const { useCase: show } = wireShowResult(core);
    const failed = Promise.race([
      server.ended.then((how) => Promise.reject(new StoreUnavailable(`the Temporal server has ended: ${how}`))),
      worker.done.then(() => new Promise<never>(() => {})),
    ]);
    failed.catch(() => {});
    return {
      address: server.address,
      uiUrl: server.uiUrl,
      apiUrl: api?.url,
      dbFile,
      storeUrl: core.store.url,
      submit: submit.useCase,
      show,
      failed,
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

/** What a namespace needs for runs to be found, and for its store to be swept. */
async function prepareNamespace(settings: Settings, env: NodeJS.ProcessEnv): Promise<PreparedNamespace> {
  const { readTemporalTarget, withClient } = await import("./infrastructure/temporal/connection.ts");
  const { registerSearchAttributes } = await import("./infrastructure/temporal/search-attributes.ts");
  const { ensureSweepSchedule } = await import("./infrastructure/temporal/sweep-schedule.ts");
  return withClient(readTemporalTarget(env), async (client) => ({
    namespace: client.options.namespace,
    registered: await registerSearchAttributes(client),
    schedule: await ensureSweepSchedule(client, settings.taskQueue),
  }));
}

/** The development server has no need of what the environment says of another one. */
function withoutTemporal(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("TEMPORAL_")));
}

async function findBinary(settings: Settings, onProgress: (sentence: string) => void): Promise<string> {
  const { findTemporalBinary } = await import("./infrastructure/temporal/server-binary.ts");
  return findTemporalBinary({
    cacheFolder: defaultCacheFolder(),
    onProgress,
    ...(settings.temporalBinary === undefined ? {} : { explicit: settings.temporalBinary }),
  });
}

export function wireCli(env: NodeJS.ProcessEnv): CliServices {
  const settings = () => readSettings(env);
  return {
    version: serviceVersion,
    catalog: async () => wireCatalog(settings()),
    run: async () =>
      borrow(await wireCore(settings(), "once"), (core) => ({
        ...wireRunAnalysis(core, "one"),
        now: () => core.store.now(),
      })),
    show: async () => borrow(await wireCore(settings(), "never"), wireShowResult),
    async submit() {
      const current = settings();
      return wireSubmitAnalysis({ catalog: await wireCatalog(current), settings: current }, env);
    },
    status: async () => borrow(await wireCore(settings(), "never"), (core) => wireStatus(core, env)),
    history: async () =>
      borrow(await wireCore(settings(), "never"), ({ catalog, repository }) => ({
        useCase: createHistoryInteractor(catalog, repository),
      })),
    plan: async () => borrow(await wireCore(settings(), "never"), (core) => wirePlan(core, env)),
    backfill: async () => borrow(await wireCore(settings(), "never"), (core) => wireBackfill(core, env)),
    sweep: async () => borrow(await wireCore(settings(), "never"), (core) => wireSweep(core, env)),
    schedules: () => wireSchedules(settings(), env),
    setup: () => prepareNamespace(settings(), env),
    doctor: () => doctorChecks(env),
    dev: async (onProgress) => wireDevelopment(settings(), env, true, onProgress),
    demo: async (onProgress) =>
      wireDevelopment(
        { ...settings(), datasetsFolder: defaultDatasets, temporalDevPort: 0, temporalDevUiPort: 0 },
        env,
        false,
        onProgress,
      ),
  };
}

/** The borrower gives back what it was built from, too. */
async function borrow<T extends object>(
  core: Core,
  build: (core: Core) => (T & Partial<AsyncDisposable>) | Promise<T & Partial<AsyncDisposable>>,
): Promise<T & AsyncDisposable> {
  const built = await build(core);
  const dispose = async () => {
    await built[Symbol.asyncDispose]?.();
    await core[Symbol.asyncDispose]();
  };
  return { ...built, [Symbol.asyncDispose]: dispose };
}

function doctorChecks(env: NodeJS.ProcessEnv): readonly DoctorCheck[] {
  const settings = () => readSettings(env);
  return [
    { name: "settings", check: async () => `${settingNames.length} settings read` },
    { name: "node", check: async () => `${process.version} on ${process.platform} ${process.arch}` },
    {
      name: "definitions",
      check: async () => {
        const catalog = await wireCatalog(settings());
        return `${catalog.list().length} in ${settings().datasetsFolder}`;
      },
    },
    {
      name: "engine",
      check: async () => {
        const definitions = (await wireCatalog(settings())).list().map(({ file }) => file);
        await using children = createWarmChildren({ main: childMain, spares: 1, definitions, env });
        const milliseconds = await timeWarmUp(children.take());
        return `Polars ${polarsVersion} calculates in a child, warm after ${milliseconds} ms`;
      },
    },
    {
      name: "store",
      check: async () => {
        let found = "every result is safe there";
        await using core = await wireCore(settings(), "now", (note) => {
          found = note;
        });
        return `${core.store.url} can be written; ${found}`;
      },
    },
    {
      name: "temporal",
      check: async () => {
        const { readTemporalTarget, withClient } = await import("./infrastructure/temporal/connection.ts");
        const { requireSearchAttributes } = await import("./infrastructure/temporal/search-attributes.ts");
        return withClient(readTemporalTarget(env), async (client) => {
          await requireSearchAttributes(client);
          return `namespace ${client.options.namespace} answers and has the search attributes`;
        });
      },
    },
  ];
}
