import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client, Connection } from "@temporalio/client";
import { bundleWorkflows } from "../../src/infrastructure/temporal/worker.ts";
import { createNamespace } from "./temporal.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const limitMs = 120_000;

/** A name stands for `src/main-<name>.ts`. */
export type EntryPoint = "cli" | "worker" | "job" | "api" | "scripts/build-workflows.ts";

export type Ended = {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
};

/** A process of the service. */
export type Running = {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly out: () => string;
  readonly err: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Settles when the process has written the text, to whichever stream. @throws when it ends before */
  readonly wrote: (text: string) => Promise<void>;
};

/** What a person sits at. */
export type Terminal = Running & { readonly type: (keys: string) => void };

export type Process = { readonly pid: number; readonly parent: number; readonly command: string };

/** A folder of its own with definitions, inputs and a store, and the service's real entry points on it. */
export type Service = AsyncDisposable & {
  readonly folder: string;
  readonly datasets: string;
  readonly store: string;
  readonly env: NodeJS.ProcessEnv;
  /** Writes the definition of `category,value` rows, with what is given in place of its fields, as source text. */
  readonly define: (id: string, fields?: Readonly<Record<string, string>>) => Promise<void>;
  /** Writes a file beside the definitions, where `file:./…` starts. */
  readonly write: (path: string, content: string | Uint8Array) => Promise<void>;
  readonly start: (main: EntryPoint, args?: readonly string[], env?: NodeJS.ProcessEnv) => Running;
  /** Starts it and waits for its end, two minutes at the most. */
  readonly run: (main: EntryPoint, args?: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Ended>;
  /** Starts a command on a pseudo-terminal of 80 columns, which shows both streams as one. Python has one to lend. */
  readonly terminal: (args: readonly string[], env?: NodeJS.ProcessEnv) => Terminal;
  readonly worker: (env?: NodeJS.ProcessEnv) => Promise<Running>;
  /** Paths below the store, without what the store keeps for itself. */
  readonly stored: () => Promise<readonly string[]>;
  /** What calculations and downloads have left in the folder for temporary files. */
  readonly scratch: () => Promise<readonly string[]>;
  readonly json: (path: string) => Promise<Record<string, unknown>>;
  /** All of its processes that are alive, children of children too. */
  readonly processes: () => Promise<readonly Process[]>;
  /** Those that calculate, or wait to: of one parent, or of any. */
  readonly calculations: (parent?: number) => Promise<readonly Process[]>;
};

export async function createService(settings: NodeJS.ProcessEnv = {}): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), "service-"));
  const [datasets, store, temporary] = [join(folder, "datasets"), join(folder, "store"), join(folder, "tmp")];
  await mkdir(datasets);
  await mkdir(temporary);
  const env = {
    ...only(process.env, ["PATH", "HOME", "LANG", "XDG_CACHE_HOME", "TEMPORAL_BINARY"]),
    NODE_COMPILE_CACHE: join(root, "node_modules/.cache/node"),
    // All processes of this service have it in their environment, those for calculations too.
    TMPDIR: temporary,
    DATASETS: datasets,
    STORE_URL: `file:${store}`,
    TEMPORAL_CONFIG_FILE: join(folder, "no-temporal-config.toml"),
    ...settings,
  };
  const running = new Set<Running>();

  const service: Service = {
    folder,
    datasets,
    store,
    env,
    define: (id, fields) => writeFile(join(datasets, `${id}.ts`), definitionText(id, fields)),
    async write(path, content) {
      await mkdir(dirname(join(datasets, path)), { recursive: true });
      await writeFile(join(datasets, path), content);
    },
    start(main, args = [], more = {}) {
      const file = join(root, main.includes("/") ? main : `src/main-${main}.ts`);
      const child = spawn(process.execPath, [file, ...args], {
        cwd: folder,
        env: { ...env, ...more },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const started = observe(child);
      running.add(started);
      return started;
    },
    terminal(args, more = {}) {
      const command = [process.execPath, join(root, "src/main-cli.ts"), ...args];
      const child = spawn(
        "python3",
        ["-c", pseudoTerminal, "sh", "-c", 'stty cols 80 rows 40; exec "$@"', "sh", ...command],
        {
          cwd: folder,
          env: { ...env, TERM: "xterm", ...more },
          stdio: ["pipe", "pipe", "pipe"],
        },
      );
      const started = observe(child);
      running.add(started);
      return { ...started, type: (keys) => void child.stdin.write(keys) };
    },
    async run(main, args, more) {
      const started = service.start(main, args, more);
      const limit = setTimeout(() => started.kill("SIGKILL"), limitMs);
      return started.ended.finally(() => clearTimeout(limit));
    },
    async worker(more) {
      const worker = service.start("worker", [], more);
      await worker.wrote("the worker polls");
      return worker;
    },
    async stored() {
      const entries = await readdir(store, { recursive: true, withFileTypes: true }).catch(() => []);
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(store.length + 1))
        .filter((path) => !path.startsWith(".store/"))
        .toSorted();
    },
    scratch: () => readdir(temporary),
    json: async (path) => JSON.parse(await readFile(join(store, path), "utf8")),
    processes: () => processesWith(`TMPDIR=${temporary}`),
    async calculations(parent) {
      const all = (await service.processes()).filter(({ command }) => command.includes("main-analysis-child.ts"));
      return parent === undefined ? all : all.filter((each) => each.parent === parent);
    },
    async [Symbol.asyncDispose]() {
      for (const each of running) each.kill("SIGKILL");
      await Promise.all([...running].map((each) => each.ended));
      await eventually(async () => (await service.processes()).length === 0);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return service;
}

export type ServiceWithTemporal = Service & { readonly client: Client; readonly namespace: string };

/** Of all workers of a test file: each would take a second for a bundle of its own. */
let bundle: Promise<{ readonly code: string }> | undefined;

/** The same in a namespace of its own of the server that all tests share. */
export async function createServiceWithTemporal(
  address: string,
  settings: NodeJS.ProcessEnv = {},
): Promise<ServiceWithTemporal> {
  const namespace = await createNamespace(address);
  const connection = await Connection.connect({ address });
  const service = await createService({
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    WORKFLOW_BUNDLE: "workflows.js",
    ...settings,
  });
  bundle ??= bundleWorkflows();
  await writeFile(join(service.folder, "workflows.js"), (await bundle).code);
  return {
    ...service,
    namespace,
    client: new Client({ connection, namespace }),
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await connection.close();
    },
  };
}

export const smallCsv = "category,value\nb,2\na,1\na,3\n";

/** Fields of a definition that calculates for some seconds on one core, whatever the machine has, in little memory. */
export const slowFields = {
  analyze: `(rows) => rows
    .join(rows.select(pl.col("value").alias("other")), { how: "cross" })
    .groupBy("category", false)
    .agg(pl.col("value").mul(pl.col("other")).modulo(7).sum().alias("total"))`,
  compute: "{ cores: 1 }",
};

/** An input that keeps `slowFields` busy, seconds growing with the square of the rows: 12,000 take about 5. */
export function manyRowsCsv(rows: number): string {
  return `category,value\n${Array.from({ length: rows }, (_, index) => `c${index % 7},${index}\n`).join("")}`;
}

const pseudoTerminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/** Waits until the condition holds. @throws when it does not within the time */
export async function eventually(condition: () => Promise<boolean> | boolean, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${condition}`);
    await sleep(20);
  }
}

function observe(child: ChildProcess): Running {
  const text = { out: "", err: "" };
  const listeners = new Set<() => void>();
  for (const [name, stream] of [["out", child.stdout] as const, ["err", child.stderr] as const]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve({ status, signal, ...text }));
  });
  return {
    pid: child.pid ?? 0,
    ended,
    out: () => text.out,
    err: () => text.err,
    kill: (signal) => void child.kill(signal),
    async wrote(wanted) {
      const seen = new Promise<void>((resolve) => {
        const look = () => {
          if ((text.out + text.err).includes(wanted)) resolve();
        };
        listeners.add(look);
        look();
      });
      const tooEarly = ended.then(({ status, signal, out, err }) => {
        throw new Error(`ended with ${signal ?? status} without writing ${JSON.stringify(wanted)}: ${out}${err}`);
      });
      await Promise.race([seen, tooEarly]);
    },
  };
}

/** By what is in their environment, which children inherit and no other process has. */
async function processesWith(variable: string): Promise<readonly Process[]> {
  if (process.platform !== "linux") {
    const { stdout } = await promisify(execFile)("ps", ["-A", "-E", "-ww", "-o", "pid=,ppid=,command="]);
    return stdout.split("\n").flatMap((line) => {
      const [, pid, parent, command = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
      return line.includes(variable) ? [{ pid: Number(pid), parent: Number(parent), command }] : [];
    });
  }
  const found: Process[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const read = (name: string) => readFile(`/proc/${pid}/${name}`, "utf8").catch(() => "");
    if (!(await read("environ")).split("\0").includes(variable)) continue;
    const parent = /^PPid:\s+(\d+)$/m.exec(await read("status"))?.[1];
    found.push({ pid: Number(pid), parent: Number(parent), command: (await read("cmdline")).replaceAll("\0", " ") });
  }
  return found;
}

/** Inputs of all datasets lie in one folder, as `<date>.csv`. */
function definitionText(id: string, fields: Readonly<Record<string, string>> = {}): string {
  const all = {
    id: JSON.stringify(id),
    title: '"A dataset of a test"',
    source: '{ uri: "file:./{date}.csv" }',
    format: '{ type: "csv" }',
    schema: "{ category: { type: pl.String }, value: { type: pl.Int64 } }",
    timeZone: '"UTC"',
    analyze: '(rows) => rows.groupBy("category", false).agg(pl.col("value").sum().alias("total"))',
    sortBy: '["category"]',
    checks: "[rowCount({ min: 1 })]",
    ...fields,
  };
  const lines = Object.entries(all).map(([name, value]) => `  ${name}: ${value},`);
  return `import { defineDataset, pl, rowCount } from "polars-analysis-service";

export default defineDataset({
${lines.join("\n")}
});
`;
}

function only(env: NodeJS.ProcessEnv, names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}
