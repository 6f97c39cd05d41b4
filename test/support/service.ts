import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client, Connection } from "@temporalio/client";
import { createNamespace } from "./temporal.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const limitMs = 60_000;

export type EntryPoint = "cli" | "worker" | "job" | "api";

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

/** A folder of its own with definitions, inputs and a store, and the service's real entry points on it. */
export type Service = AsyncDisposable & {
  readonly folder: string;
  readonly datasets: string;
  readonly store: string;
  readonly env: NodeJS.ProcessEnv;
  /** Writes a definition. Its inputs lie beside it: `file:./…` starts at the same folder. */
  readonly define: (id: string, text: string) => Promise<void>;
  readonly write: (path: string, content: string | Uint8Array) => Promise<void>;
  readonly start: (main: EntryPoint, args?: readonly string[], env?: NodeJS.ProcessEnv) => Running;
  /** Starts it and waits for its end, a minute at the most. */
  readonly run: (main: EntryPoint, args?: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Ended>;
  readonly worker: (env?: NodeJS.ProcessEnv) => Promise<Running>;
  /** Paths below the store, without what the store keeps for itself. */
  readonly stored: () => Promise<readonly string[]>;
  readonly json: (path: string) => Promise<Record<string, unknown>>;
  /** Command lines of all processes of this service that are alive, by process id. */
  readonly processes: () => Promise<ReadonlyMap<number, string>>;
  readonly calculations: () => Promise<readonly number[]>;
};

export async function createService(settings: NodeJS.ProcessEnv = {}): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), "service-"));
  const [datasets, store, temporary] = [join(folder, "datasets"), join(folder, "store"), join(folder, "tmp")];
  await mkdir(datasets);
  await mkdir(temporary);
  const env = {
    ...only(process.env, ["PATH", "HOME", "LANG", "NODE_COMPILE_CACHE", "XDG_CACHE_HOME", "TEMPORAL_BINARY"]),
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
    define: (id, text) => writeFile(join(datasets, `${id}.ts`), text),
    async write(path, content) {
      await mkdir(dirname(join(datasets, path)), { recursive: true });
      await writeFile(join(datasets, path), content);
    },
    start(main, args = [], more = {}) {
      const file = join(root, `src/main-${main}.ts`);
      const child = spawn(process.execPath, [file, ...args], {
        cwd: folder,
        env: { ...env, ...more },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const started = observe(child);
      running.add(started);
      return started;
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
    json: async (path) => JSON.parse(await readFile(join(store, path), "utf8")),
    processes: () => processesWith(`TMPDIR=${temporary}`),
    async calculations() {
      return [...(await service.processes())].flatMap(([pid, line]) =>
        line.includes("main-analysis-child.ts") ? [pid] : [],
      );
    },
    async [Symbol.asyncDispose]() {
      for (const each of running) each.kill("SIGKILL");
      await Promise.all([...running].map((each) => each.ended));
      await eventually(async () => (await service.processes()).size === 0);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return service;
}

export type ServiceWithTemporal = Service & { readonly client: Client; readonly namespace: string };

/** The same in a namespace of its own of the server that all tests share. */
export async function createServiceWithTemporal(
  address: string,
  settings: NodeJS.ProcessEnv = {},
): Promise<ServiceWithTemporal> {
  const namespace = await createNamespace(address);
  const connection = await Connection.connect({ address });
  const service = await createService({ TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace, ...settings });
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
async function processesWith(variable: string): Promise<ReadonlyMap<number, string>> {
  if (process.platform !== "linux") {
    const { stdout } = await promisify(execFile)("ps", ["-A", "-E", "-ww", "-o", "pid=,command="]);
    const lines = stdout.split("\n").filter((line) => line.includes(variable));
    return new Map(lines.map((line) => [Number.parseInt(line, 10), line.trim()]));
  }
  const found = new Map<number, string>();
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const read = (name: string) => readFile(`/proc/${pid}/${name}`, "utf8").catch(() => "");
    if (!(await read("environ")).split("\0").includes(variable)) continue;
    found.set(Number(pid), (await read("cmdline")).replaceAll("\0", " ").trim());
  }
  return found;
}

function only(env: NodeJS.ProcessEnv, names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}
