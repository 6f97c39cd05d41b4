import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import packageJson from "../package.json" with { type: "json" };
import { StoreUnavailable } from "./domain/model/failure.ts";
import { createChildProcessAnalyzer } from "./infrastructure/compute/child-process-analyzer.ts";
import { createMemoryBudget } from "./infrastructure/compute/memory-budget.ts";
import { createWarmChildren, timeWarmUp } from "./infrastructure/compute/warm-children.ts";
import { loadDatasetCatalog } from "./infrastructure/config/dataset-catalog.ts";
import { defaultDatasets, readSettings, type Settings, settingNames } from "./infrastructure/config/settings.ts";
import { checkSource } from "./infrastructure/loader/expand-source.ts";
import { createFileDatasetLoader } from "./infrastructure/loader/file-dataset-loader.ts";
import { createHttpDatasetLoader } from "./infrastructure/loader/http-dataset-loader.ts";
import { createRoutingDatasetLoader } from "./infrastructure/loader/routing-dataset-loader.ts";
import { createObjectResultRepository } from "./infrastructure/repository/object-result-repository.ts";
import { createResultLayout, stagingOf } from "./infrastructure/repository/result-layout.ts";
import { openFileObjectStore } from "./infrastructure/store/file-object-store.ts";
import type { ObjectStore } from "./infrastructure/store/object-store.ts";
import type { CliServices, Development, DoctorCheck } from "./interface/cli/cli-services.ts";
import { polarsVersion } from "./usecase/calculation/engine.ts";
import { createRunAnalysisInteractor } from "./usecase/interactor/run-analysis-interactor.ts";
import { createShowResultInteractor } from "./usecase/interactor/show-result-interactor.ts";
import { createSubmitAnalysisInteractor } from "./usecase/interactor/submit-analysis-interactor.ts";
import type { RunAnalysisUseCase } from "./usecase/ports/input/run-analysis-usecase.ts";
import type { ShowResultUseCase } from "./usecase/ports/input/show-result-usecase.ts";
import type { SubmitAnalysisUseCase } from "./usecase/ports/input/submit-analysis-usecase.ts";
import type { DatasetCatalog } from "./usecase/ports/output/dataset-catalog.ts";
import type { ResultRepository } from "./usecase/ports/output/result-repository.ts";

const serviceVersion = packageJson.version;
const childMain = fileURLToPath(new URL("main-analysis-child.ts", import.meta.url));

/** The parts that every entry point shares. */
export type Core = AsyncDisposable & {
  readonly settings: Settings;
  readonly catalog: DatasetCatalog;
  readonly store: ObjectStore;
  readonly repository: ResultRepository;
};

export function wireCatalog(settings: Settings): Promise<DatasetCatalog> {
  return loadDatasetCatalog(settings.datasetsFolder, ({ definition }) => checkSource(definition.source));
}

/** @throws BadRequest when a definition or RESULT_KEY is wrong, StoreUnavailable when the store is */
export async function wireCore(settings: Settings): Promise<Core> {
  const catalog = await wireCatalog(settings);
  const layout = createResultLayout(
    settings.resultKey,
    catalog.list().map(({ id }) => id),
  );
  const store = await openFileObjectStore(settings.storeFolder);
  const repository = createObjectResultRepository(store, layout);
  return { settings, catalog, store, repository, [Symbol.asyncDispose]: async () => store[Symbol.dispose]() };
}

/** @param calculations `one`: the process ends after it; `many`: children are forked ahead again and again */
export function wireRunAnalysis(
  core: Core,
  calculations: "one" | "many",
): { readonly useCase: RunAnalysisUseCase } & AsyncDisposable {
  const { settings, store, catalog, repository } = core;
  const children = createWarmChildren({
    main: childMain,
    spares: calculations === "one" ? 0 : settings.warmChildren,
    definitions: catalog.list().map(({ file }) => file),
    env: process.env,
  });
  const useCase = createRunAnalysisInteractor({
    catalog,
    repository,
    loader: createRoutingDatasetLoader({
      file: createFileDatasetLoader(),
      http: createHttpDatasetLoader({
        scratchFolder: settings.scratchFolder,
        stage: async (runId, name, file) => {
          const key = `${stagingOf(runId)}${randomUUID()}/${name}`;
          await store.put(key, file, { condition: { ifAbsent: true }, durable: false });
          return key;
        },
      }),
    }),
    analyzer: createChildProcessAnalyzer({
      store,
      children,
      budget: createMemoryBudget(settings.workerMemoryBytes),
      scratchFolder: settings.scratchFolder,
    }),
    engine: { service: serviceVersion, polars: polarsVersion, node: process.versions.node },
    heartbeatTimeoutMs: settings.heartbeatTimeoutMs,
  });
  return { useCase, [Symbol.asyncDispose]: () => children[Symbol.asyncDispose]() };
}

export function wireShowResult({ catalog, repository }: Core): { readonly useCase: ShowResultUseCase } {
  return { useCase: createShowResultInteractor(catalog, repository) };
}

/** Temporal's client is loaded here and connects when it is first used: `run` and `show` do without. */
export async function wireSubmitAnalysis(
  { catalog, settings }: Pick<Core, "catalog" | "settings">,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly useCase: SubmitAnalysisUseCase } & AsyncDisposable> {
  const { connectClient, readTemporalTarget } = await import("./infrastructure/temporal/connection.ts");
  const { createTemporalRunOrchestrator } = await import("./infrastructure/temporal/temporal-run-orchestrator.ts");
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
    useCase: createSubmitAnalysisInteractor(catalog, createTemporalRunOrchestrator(connect, settings.taskQueue)),
    [Symbol.asyncDispose]: async () => (await client?.catch(() => undefined))?.connection.close(),
  };
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
  const { settings } = core;
  const target = readTemporalTarget(env);
  const run = wireRunAnalysis(core, "many");
  try {
    const worker = await startAnalysisWorker({
      target,
      taskQueue: settings.taskQueue,
      activities: createRunAnalysisActivities(run.useCase),
      maxActivities: settings.workerActivities,
      workflowBundle: settings.workflowBundle,
    });
    const dispose = async () => {
      await worker.stop().finally(() => run[Symbol.asyncDispose]());
    };
    return { done: worker.done, address: target.address, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await run[Symbol.asyncDispose]();
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
    const core = parts.use(await wireCore(settings));
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
      storeFolder: settings.storeFolder,
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

/** The development server has no need of what the environment says of another one. */
function withoutTemporal(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("TEMPORAL_")));
}

async function findBinary(settings: Settings, onProgress: (sentence: string) => void): Promise<string> {
  const { findTemporalBinary } = await import("./infrastructure/temporal/server-binary.ts");
  const { defaultCacheFolder } = await import("./infrastructure/temporal/pinned-package.ts");
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
    run: async () => borrow(await wireCore(settings()), (core) => wireRunAnalysis(core, "one")),
    show: async () => borrow(await wireCore(settings()), wireShowResult),
    async submit() {
      const current = settings();
      return wireSubmitAnalysis({ catalog: await wireCatalog(current), settings: current }, env);
    },
    async setup() {
      const { readTemporalTarget, withClient } = await import("./infrastructure/temporal/connection.ts");
      const { registerSearchAttributes } = await import("./infrastructure/temporal/search-attributes.ts");
      return withClient(readTemporalTarget(env), async (client) => ({
        namespace: client.options.namespace,
        registered: await registerSearchAttributes(client),
      }));
    },
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
function borrow<T extends object>(
  core: Core,
  build: (core: Core) => { readonly useCase: T } & Partial<AsyncDisposable>,
): { readonly useCase: T } & AsyncDisposable {
  const built = build(core);
  const dispose = async () => {
    await built[Symbol.asyncDispose]?.();
    await core[Symbol.asyncDispose]();
  };
  return { useCase: built.useCase, [Symbol.asyncDispose]: dispose };
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
        await using core = await wireCore(settings());
        return `${core.store.url} can be written`;
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
