import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect as show } from "node:util";
import { gzipSync } from "node:zlib";
import pl from "nodejs-polars";
import { afterEach, beforeEach, describe, expect, inject, it, onTestFinished } from "vitest";
import { Crashed, InputChanged, SourceUnavailable } from "../../../src/domain/model/failure.ts";
import { createChildProcessAnalyzer } from "../../../src/infrastructure/compute/child-process-analyzer.ts";
import { createMemoryBudget } from "../../../src/infrastructure/compute/memory-budget.ts";
import { createWarmChildren } from "../../../src/infrastructure/compute/warm-children.ts";
import { loadDatasetCatalog } from "../../../src/infrastructure/config/dataset-catalog.ts";
import { checkSource } from "../../../src/infrastructure/loader/expand-source.ts";
import { createFileDatasetLoader } from "../../../src/infrastructure/loader/file-dataset-loader.ts";
import { createHttpDatasetLoader } from "../../../src/infrastructure/loader/http-dataset-loader.ts";
import { createRoutingDatasetLoader } from "../../../src/infrastructure/loader/routing-dataset-loader.ts";
import { createS3DatasetLoader } from "../../../src/infrastructure/loader/s3-dataset-loader.ts";
import { createResultIndex } from "../../../src/infrastructure/repository/object-result-index.ts";
import { createObjectResultRepository } from "../../../src/infrastructure/repository/object-result-repository.ts";
import { createResultLayout } from "../../../src/infrastructure/repository/result-layout.ts";
import { openFileObjectStore } from "../../../src/infrastructure/store/file-object-store.ts";
import { cloudOptionsOf } from "../../../src/infrastructure/store/s3-cloud-options.ts";
import type { RunAnalysisOutput } from "../../../src/usecase/dto/run-analysis-output.ts";
import { createRunAnalysisInteractor } from "../../../src/usecase/interactor/run-analysis-interactor.ts";
import type { RunAnalysisUseCase } from "../../../src/usecase/ports/input/run-analysis-usecase.ts";
import type { Analyzer } from "../../../src/usecase/ports/output/analyzer.ts";
import { type FaultPlan, s3Error, startFaultProxy } from "../../support/fault-proxy.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { clientOf, createS3World, type S3World } from "../loader/s3-world.ts";

const main = fileURLToPath(new URL("../../../src/main-analysis-child.ts", import.meta.url));

let world: S3World;
beforeEach(async () => {
  world = await createS3World();
});
afterEach(() => world[Symbol.asyncDispose]());

const till = (uri: string | readonly string[], format = "parquet", glob = false) => `
import { defineDataset, notNull, pl, rowCount } from "polars-analysis-service";
export default defineDataset({
  id: "till",
  title: "Takings by store",
  source: { uri: ${JSON.stringify(uri)}, glob: ${glob} },
  format: { type: "${format}" },
  schema: { store: { type: pl.String }, amount: { type: pl.Int64 } },
  timeZone: "Europe/Berlin",
  analyze: (rows) => rows.groupBy("store", false).agg(pl.col("amount").sum().alias("total")),
  sortBy: ["store"],
  checks: [rowCount({ on: "rows", min: 1 }), notNull("store", { on: "rows" })],
  compute: { memoryMiB: 1024 },
});
`;

type Setup = {
  readonly access?: Parameters<typeof clientOf>[0];
  readonly env?: NodeJS.ProcessEnv;
  /** Before and after a calculation. */
  readonly before?: () => Promise<void>;
  readonly after?: () => Promise<void>;
};

/** The real thing but for the wiring: one definition, a store on disk, and S3 as the source. */
async function serviceOf(definition: string, { access, env = process.env, before, after }: Setup = {}) {
  const folder = await tempFolder();
  const [definitions, scratchFolder] = [join(folder, "definitions"), join(folder, "scratch")];
  await mkdir(definitions);
  await mkdir(scratchFolder);
  await writeFile(join(definitions, "till.ts"), definition);
  const catalog = await loadDatasetCatalog(definitions, (entry) => checkSource(entry.definition.source));
  const store = await openFileObjectStore(join(folder, "store"));
  const children = createWarmChildren({ main, spares: 0, definitions: [], env });
  const client = clientOf(access ?? inject("s3"));
  onTestFinished(async () => {
    await children[Symbol.asyncDispose]();
    client.destroy();
  });
  const stage = async (runId: string, name: string, file: { path: string; sizeBytes: number; sha256: string }) => {
    await store.put(`_staging/${runId}/x/${name}`, file);
    return `_staging/${runId}/x/${name}`;
  };
  const loader = createRoutingDatasetLoader({
    file: createFileDatasetLoader(),
    http: createHttpDatasetLoader({ stage }),
    s3: createS3DatasetLoader({ client: async () => client, stage, scratchFolder }),
  });
  const real = createChildProcessAnalyzer({
    store,
    children,
    budget: createMemoryBudget(2048 * 2 ** 20),
    scratchFolder,
    cloudOptions: (bucket) => cloudOptionsOf(client, bucket),
  });
  const analyzer: Analyzer = {
    async analyze(order, signal) {
      await before?.();
      const staged = await real.analyze(order, signal);
      await after?.();
      return staged;
    },
  };
  const layout = createResultLayout("{dataset}/{date}/result.parquet", ["till"]);
  const repository = createObjectResultRepository(store, layout, createResultIndex(store, layout));
  const useCase = createRunAnalysisInteractor({
    catalog,
    loader,
    analyzer,
    repository,
    engine: { service: "1", polars: "1", node: "1" },
    heartbeatTimeoutMs: 1_000,
    peakMemoryBytes: () => 0,
  });
  return {
    run: runner(useCase),
    scratchFiles: () => readdir(scratchFolder),
    async rows({ manifest }: RunAnalysisOutput) {
      await using copy = await store.local(manifest.result.key);
      const path = join(folder, "copy.parquet");
      await writeFile(path, await readFile(copy?.path ?? ""));
      return pl.readParquet(path).toRecords();
    },
  };
}

function runner(useCase: RunAnalysisUseCase) {
  let hour = 6;
  return () => {
    const fence = `2026-02-06T${String(hour++).padStart(2, "0")}:00:00.000Z`;
    return useCase.run({ dataset: "till", date: "2026-02-05", runId: `run-${hour}`, fence });
  };
}

async function parquetOf(rows: Readonly<Record<string, readonly unknown[]>>): Promise<Buffer> {
  const path = join(await tempFolder(), "rows.parquet");
  const frame = pl.DataFrame(rows).withColumn(pl.col("amount").cast(pl.Int64));
  await frame.lazy().sinkParquet(path).collect();
  return readFile(path);
}

const takings = () => parquetOf({ store: ["a", "b", "a"], amount: [1, 5, 2], unseen: ["x", "y", "z"] });
const totals = [
  { store: "a", total: 3 },
  { store: "b", total: 5 },
];
const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe("Parquet on S3", () => {
  it("is read in place, is unchanged while it is the same, and is calculated anew when it is not", async () => {
    await world.put("2026-02-05.parquet", await takings());
    const service = await serviceOf(till(world.uri("{date}.parquet")));
    const output = await service.run();
    expect(output).toMatchObject({ outcome: "published", rows: 2, manifest: { rowsRead: 3 } });
    expect(output.manifest.inputs).toEqual([
      expect.objectContaining({ location: world.uri("2026-02-05.parquet"), etag: expect.stringMatching(/^"/) }),
    ]);
    expect(output.manifest.inputs[0]).not.toHaveProperty("sha256");
    expect(await service.rows(output)).toEqual(totals);
    expect((await service.run()).outcome).toBe("unchanged");
    await world.put("2026-02-05.parquet", await parquetOf({ store: ["c"], amount: [7] }));
    expect(await service.rows(await service.run())).toEqual([{ store: "c", total: 7 }]);
    expect(JSON.stringify(output)).not.toContain(inject("s3").secretAccessKey);
    expect(JSON.stringify(output)).not.toContain(inject("s3").accessKeyId);
    expect(await service.scratchFiles()).toEqual([]);
  });

  it("is read by keys to the letter", async () => {
    const names = [
      "a b",
      "a%20b",
      "100%",
      "a+b",
      "ü/日本",
      "u\u0308",
      "st*r",
      "star",
      "[s]tar",
      "q?x#y",
      "back\\slash",
    ].concat("a&b=c;d,e@f$g!", "<x>", "'quote\"", "x=1/y=2", "%2e%2e/%2F", ".dot/_under", "...");
    for (const [index, name] of names.entries()) {
      await world.put(`${name}.parquet`, await parquetOf({ store: [name], amount: [index] }));
    }
    const service = await serviceOf(till(names.map((name) => world.uri(`${name}.parquet`))));
    const rows = await service.rows(await service.run());
    expect(new Map(rows.map(({ store, total }) => [store, total]))).toEqual(
      new Map(names.map((name, index) => [name, index])),
    );
  });

  it("is found by a pattern, and joins compressed and plain files of other places", async () => {
    const file = join(await tempFolder(), "local.parquet");
    await writeFile(file, await parquetOf({ store: ["b"], amount: [4] }));
    await world.put("in/1.parquet", await parquetOf({ store: ["a"], amount: [1] }));
    await world.put("in/2.parquet", gzipSync(await parquetOf({ store: ["a", "b"], amount: [2, 1] })));
    const service = await serviceOf(till([world.uri("in/*.parquet"), `file:${file}`], "parquet", true));
    const output = await service.run();
    expect(await service.rows(output)).toEqual(totals);
    expect(output.manifest.inputs.map(({ sha256 }) => typeof sha256)).toEqual(["undefined", "string", "string"]);
    expect((await service.run()).outcome).toBe("unchanged");
  });

  it("is not mixed with the credentials of another profile", async () => {
    const home = await tempFolder();
    await mkdir(join(home, ".aws"));
    const other = "aws_access_key_id = OTHER\naws_secret_access_key = OTHER\naws_session_token = OTHER\n";
    await writeFile(join(home, ".aws", "credentials"), `[other]\n${other}`);
    await world.put("a.parquet", await takings());
    const env = { ...process.env, HOME: home, AWS_ENDPOINT_URL: "http://127.0.0.1:1" };
    const service = await serviceOf(till(world.uri("a.parquet")), { env });
    expect(await service.rows(await service.run())).toEqual(totals);
  });

  it.each<[string, keyof Pick<Setup, "before" | "after">, () => Promise<void>]>([
    [
      "replaced before it is read",
      "before",
      async () => world.put("a.parquet", await parquetOf({ store: ["c"], amount: [7] })),
    ],
    ["replaced by something else before it is read", "before", () => world.put("a.parquet", "PAR1 no more PAR1")],
    ["removed before it is read", "before", () => world.remove("a.parquet")],
    [
      "replaced after it was read",
      "after",
      async () => world.put("a.parquet", await parquetOf({ store: ["c"], amount: [7] })),
    ],
    ["removed after it was read", "after", () => world.remove("a.parquet")],
  ])("is a changed input when it is %s", async (_, when, change) => {
    await world.put("a.parquet", await takings());
    const service = await serviceOf(till(world.uri("a.parquet")), { [when]: change });
    const failure = await failureOf(service.run());
    expect(failure).toBeInstanceOf(InputChanged);
    expect(String(failure)).toContain(`${world.uri("a.parquet")} must stay as it is during a run`);
  });

  /** Faults that the engine meets, and the loader does not. */
  const toEngine =
    (fault: ReturnType<FaultPlan>): FaultPlan =>
    ({ headers }) =>
      headers["user-agent"]?.startsWith("polars") ? fault : undefined;

  it.each<[string, ReturnType<FaultPlan>, RegExp]>([
    ["refused", s3Error(403, "AccessDenied"), /its server answered 403$/],
    ["answered with an error", s3Error(503, "SlowDown"), /its server answered 503$/],
    ["not answered", { kind: "reset-before" }, /its server cannot be reached, or broke off$/],
    ["answered by half", { kind: "cut-response", afterBytes: 10 }, /its server cannot be reached, or broke off$/],
  ])("is unavailable when the engine is %s", async (_, fault, words) => {
    await world.put("a.parquet", await takings());
    const { endpoint, ...keys } = inject("s3");
    await using proxy = await startFaultProxy({ target: new URL(endpoint), plan: toEngine(fault) });
    const access = { ...keys, endpoint: proxy.endpoint };
    const failure = await failureOf((await serviceOf(till(world.uri("a.parquet")), { access })).run());
    expect(failure).toBeInstanceOf(SourceUnavailable);
    expect(failure).toMatchObject({ message: expect.stringMatching(words) });
    expect(String(failure)).toContain(`${world.uri("a.parquet")} could not be read to its end`);
    expect(show(failure, { depth: 9, showHidden: true })).not.toContain(keys.secretAccessKey);
  });

  /** Enough that the engine asks for the footer first, and for the rows in requests of their own. */
  const manyRows = (salt: string) =>
    parquetOf({
      store: Array.from({ length: 50_000 }, (_, index) => `${salt} ${Math.sin(index)}`),
      amount: Array.from({ length: 50_000 }, (_, index) => index),
    });

  it("is unavailable when the server goes between footer and rows", async () => {
    await world.put("a.parquet", await manyRows("a"));
    const { endpoint, ...keys } = inject("s3");
    let asked = 0;
    const plan: FaultPlan = (request) => {
      const isOfEngine = toEngine(s3Error(500, "InternalError"))(request) !== undefined && request.method === "GET";
      return isOfEngine && ++asked > 1 ? s3Error(500, "InternalError") : undefined;
    };
    await using proxy = await startFaultProxy({ target: new URL(endpoint), plan });
    const service = await serviceOf(till(world.uri("a.parquet")), { access: { ...keys, endpoint: proxy.endpoint } });
    const failure = await failureOf(service.run());
    expect(failure).toBeInstanceOf(SourceUnavailable);
    expect(String(failure)).toContain(
      `${world.uri("a.parquet")} could not be read to its end: its server answered 500`,
    );
    expect(asked).toBeGreaterThan(1);
  });

  it("is unavailable when its rows are refused for a moment, and when nobody can tell whether it is at fault", async () => {
    await world.put("a.parquet", await manyRows("a"));
    const { endpoint, ...keys } = inject("s3");
    const whole = till(world.uri("a.parquet"));
    for (const [definition, last] of [
      [whole, 6],
      [whole.replace(/analyze: .*/, 'analyze: () => { throw new Error("no"); },'), Number.POSITIVE_INFINITY],
    ] as const) {
      let asked = 0;
      const plan: FaultPlan = (request) => {
        const fault = request.method === "GET" ? toEngine(s3Error(403, "AccessDenied"))(request) : undefined;
        return fault !== undefined && ++asked > 1 && asked <= last ? fault : undefined;
      };
      await using proxy = await startFaultProxy({ target: new URL(endpoint), plan });
      const service = await serviceOf(definition, { access: { ...keys, endpoint: proxy.endpoint } });
      const failure = await failureOf(service.run());
      expect(failure).toBeInstanceOf(SourceUnavailable);
      expect(String(failure)).toContain("its server answered 403");
    }
  });

  it("is a changed input when it is replaced between footer and rows", async () => {
    const [one, other] = [await manyRows("a"), await manyRows("another")];
    await world.put("a.parquet", one);
    const { endpoint, ...keys } = inject("s3");
    let asked = 0;
    const plan: FaultPlan = (request) => {
      if (toEngine(s3Error(500, ""))(request) === undefined || request.method !== "GET" || ++asked !== 2)
        return undefined;
      void world.put("a.parquet", other);
      return { kind: "delay", ms: 1_000 };
    };
    await using proxy = await startFaultProxy({ target: new URL(endpoint), plan });
    const service = await serviceOf(till(world.uri("a.parquet")), { access: { ...keys, endpoint: proxy.endpoint } });
    expect(await failureOf(service.run())).toBeInstanceOf(InputChanged);
    expect(asked).toBeGreaterThan(1);
  });

  it("never has its credentials in the words of a calculation that fails", async () => {
    await world.put("a.parquet", await takings());
    const { accessKeyId, secretAccessKey } = inject("s3");
    const chatty = till(world.uri("a.parquet")).replace(
      /analyze: .*/,
      `analyze: () => { throw new Error("said ${accessKeyId} and ${secretAccessKey}"); },`,
    );
    const failure = await failureOf((await serviceOf(chatty)).run());
    expect(failure).toBeInstanceOf(Crashed);
    expect(failure).toMatchObject({ message: expect.stringMatching(/said … and …$/) });
  });

  it("is read to its end by an engine that is disturbed now and then", async () => {
    await world.put("a.parquet", await takings());
    const { endpoint, ...keys } = inject("s3");
    let asked = 0;
    const plan: FaultPlan = (request) => (asked++ % 3 === 0 ? toEngine(s3Error(503, "SlowDown"))(request) : undefined);
    await using proxy = await startFaultProxy({ target: new URL(endpoint), plan });
    const service = await serviceOf(till(world.uri("a.parquet")), { access: { ...keys, endpoint: proxy.endpoint } });
    expect(await service.rows(await service.run())).toEqual(totals);
  });
});

describe("other formats on S3", () => {
  it("are staged, checked and calculated, compressed or not", async () => {
    await world.put("in/2026-02-05-1.csv.gz", gzipSync("store,amount\na,1\nb,5\n"));
    await world.put("in/2026-02-05-2.csv", "amount,store\n2,a\n");
    const service = await serviceOf(till(world.uri("in/{date}-*"), "csv", true));
    const output = await service.run();
    expect(await service.rows(output)).toEqual(totals);
    for (const pin of output.manifest.inputs) {
      expect(pin).toMatchObject({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/), etag: expect.stringMatching(/^"/) });
      expect(pin.location).toMatch(/^_staging\//);
    }
    expect((await service.run()).outcome).toBe("unchanged");
  });
});
