import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "@temporalio/client";
import { type AnalysisFailure, BadRequest, StoreUnavailable } from "../../domain/model/failure.ts";

const host = "127.0.0.1";
const startLimitMs = 30_000;
const stopLimitMs = 5_000;
const attempts = 5;

/**
 * Becomes the server, so that its pid, status and signals are the child's own, and leaves a watcher beside it. The
 * watcher reads a pipe that this process holds: a line means that the server was seen to end; the end of the pipe means
 * that this process is gone, however it went. What the server had committed to its db file survives the signal.
 */
const underWatch = `
server=$$
{ read -r _ || kill -KILL "$server"; } <&3 >/dev/null 2>&1 &
exec "$@" 3<&-
`;

export type SearchAttributeType = "Text" | "Keyword" | "Int" | "Double" | "Bool" | "Datetime" | "KeywordList";

export type DevServerOptions = {
  /** Path of the `temporal` CLI. */
  readonly binary: string;
  /** Of the frontend; 0 for a free one. */
  readonly port: number;
  /** Of the web interface; 0 for a free one. */
  readonly uiPort: number;
  /** Keeps workflows between runs, one server at a time. Without it they live in memory. */
  readonly dbFile?: string;
  readonly searchAttributes: Readonly<Record<string, SearchAttributeType>>;
  /** Default: `default`. */
  readonly namespace?: string;
  /** The server's own words are appended here. */
  readonly logFile?: string;
};

export interface DevServer extends AsyncDisposable {
  readonly address: string;
  readonly uiUrl: string;
  readonly pid: number;
  /** Settles when the server is gone, for whatever reason, with a sentence that says how. */
  readonly ended: Promise<string>;
  /** Idempotent. Settles when the server is gone. */
  stop(): Promise<void>;
}

/**
 * Starts Temporal's development server on 127.0.0.1 and settles when it answers and knows the search attributes.
 * It never outlives this process, even one that is killed.
 * @throws BadRequest when a port is taken, or the db file is in use
 * @throws StoreUnavailable when it ends early or is not ready after 30 s, with its own words
 */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const lock = options.dbFile === undefined ? undefined : await lockDbFile(resolve(options.dbFile));
  try {
    for (let attempt = 1; ; attempt++) {
      const ports = await choosePorts(options);
      const server = launch(options, ports);
      try {
        await ready(server, options);
        server.ended.finally(() => lock?.close());
        return server;
      } catch (error) {
        await server.stop();
        // Between choosing a port and listening on it, another process may be quicker; so for the server's inner ports.
        // The server does not always say so before it ends: with ports of our choice an early end is tried again.
        const chosen = options.port === 0 || options.uiPort === 0;
        const lostRace =
          error instanceof StoreUnavailable &&
          (error.message.includes("address already in use") || (chosen && error.message.includes(": it ended with")));
        if (!lostRace || attempt === attempts) throw error;
      }
    }
  } catch (error) {
    if (lock?.isOpen) lock.close();
    throw error;
  }
}

type Ports = { readonly port: number; readonly uiPort: number };

/** Both are held until both are known, so that they differ. */
async function choosePorts({ port, uiPort }: Ports): Promise<Ports> {
  const held: Server[] = [];
  try {
    const hold = async (wanted: number, what: string): Promise<number> => {
      const server = createServer();
      held.push(server);
      return await new Promise((settle, reject) => {
        server.once("error", (error) => reject(portFault(error, wanted, what)));
        server.listen(wanted, host, () => {
          const address = server.address();
          settle(typeof address === "object" && address !== null ? address.port : wanted);
        });
      });
    };
    return { port: await hold(port, "Temporal"), uiPort: await hold(uiPort, "Temporal's web interface") };
  } finally {
    await Promise.all(held.map((server) => new Promise((settle) => server.close(settle))));
  }
}

function portFault(error: Error, port: number, what: string): AnalysisFailure {
  const code = "code" in error ? error.code : undefined;
  const setting = what === "Temporal" ? "TEMPORAL_DEV_PORT" : "TEMPORAL_DEV_UI_PORT";
  const why = code === "EADDRINUSE" ? "is taken" : `cannot be used (${error.message})`;
  return new BadRequest(
    `port ${port} on ${host}, wanted for ${what}, ${why}: end what listens there, or set ${setting} to another port`,
    {
      details: { port, setting },
      cause: error,
    },
  );
}

/** Two servers on one file do not notice each other, and each would run the same workflows. The kernel ends this lock with its holder. */
async function lockDbFile(dbFile: string): Promise<DatabaseSync> {
  await mkdir(dirname(dbFile), { recursive: true });
  const lock = new DatabaseSync(`${dbFile}.lock`);
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    throw new BadRequest(`another Temporal server uses ${dbFile}: stop it first, or give this one another file`, {
      cause: error,
    });
  }
}

function launch(options: DevServerOptions, { port, uiPort }: Ports): DevServer & { readonly isRunning: () => boolean } {
  const db = options.dbFile === undefined ? [] : ["--db-filename", resolve(options.dbFile)];
  const pragmas =
    db.length === 0 ? [] : ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"];
  const args = ["server", "start-dev", "--ip", host, "--port", String(port), "--ui-port", String(uiPort)]
    .concat("--namespace", options.namespace ?? "default", "--log-level", "error")
    // The default of 20 makes each step of a workflow wait 50 ms.
    .concat("--dynamic-config-value", "history.transferProcessorMaxPollRPS=2000")
    .concat(
      Object.entries(options.searchAttributes).flatMap(([name, type]) => ["--search-attribute", `${name}=${type}`]),
    )
    .concat(db, pragmas);
  // Its own session, so that Ctrl-C reaches the caller only, which ends its workers before the server.
  const child = spawn("/bin/sh", ["-c", underWatch, "sh", options.binary, ...args], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    detached: true,
    env: { ...process.env, TEMPORAL_DISABLE_NEWS_FETCH: "true" },
  });
  const words = listen(child, options.logFile);
  const watcher = child.stdio[3];
  watcher?.on("error", () => undefined);
  const ended = new Promise<string>((settle) => {
    child.once("error", (error) => settle(`it could not be started: ${error.message}`));
    // "close", not "exit": by then its last words are read.
    child.once("close", (code, signal) => settle(words() || `it ended with ${signal ?? `status ${code}`}`));
    child.once("exit", () => watcher && "end" in watcher && watcher.end("ended\n"));
  });
  const isRunning = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  const stop = async () => {
    if (isRunning()) {
      // In memory there is nothing to save, and a polite end takes 1.4 s.
      child.kill(options.dbFile === undefined ? "SIGKILL" : "SIGTERM");
      const limit = setTimeout(() => child.kill("SIGKILL"), stopLimitMs);
      await ended;
      clearTimeout(limit);
    }
    await ended;
  };
  return {
    address: `${host}:${port}`,
    uiUrl: `http://${host}:${uiPort}`,
    pid: child.pid ?? 0,
    ended,
    isRunning,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Returns what the server said last that explains its end. */
function listen(child: ChildProcess, logFile: string | undefined): () => string {
  const log =
    logFile === undefined ? undefined : createWriteStream(logFile, { flags: "a" }).on("error", () => undefined);
  let last = "";
  child.stdout?.on("data", (chunk) => log?.write(chunk));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log?.write(text);
    last = (last + text).slice(-4_000);
  });
  child.once("close", () => log?.end());
  const explains = /^(Error|panic|fatal error|sh): /;
  return () =>
    last
      .split("\n")
      .findLast((line) => explains.test(line))
      ?.replace(/^Error: /, "")
      .trim() ?? "";
}

/** Health comes before the search attributes, and a workflow that is started in between fails. */
async function ready(server: ReturnType<typeof launch>, options: DevServerOptions): Promise<void> {
  const connection = Connection.lazy({
    address: server.address,
    // The default one retries by a timer that throws, uncaught, once the connection is closed.
    interceptors: [],
    channelArgs: { "grpc.initial_reconnect_backoff_ms": 50, "grpc.max_reconnect_backoff_ms": 200 },
  });
  const expected = Object.keys(options.searchAttributes);
  const deadline = Date.now() + startLimitMs;
  const failed = server.ended.then((how) => {
    throw new StoreUnavailable(`the Temporal server did not start: ${how}`);
  });
  let lastFault = "no answer";
  const poll = async (): Promise<void> => {
    while (Date.now() < deadline && server.isRunning()) {
      try {
        await connection.withDeadline(Date.now() + 2_000, async () => {
          await connection.healthService.check({ service: "temporal.api.workflowservice.v1.WorkflowService" });
          const { customAttributes } = await connection.operatorService.listSearchAttributes({
            namespace: options.namespace ?? "default",
          });
          const missing = expected.filter((name) => !(name in customAttributes));
          if (missing.length > 0) throw new Error(`search attributes are missing: ${missing.join(", ")}`);
        });
        return;
      } catch (error) {
        lastFault = error instanceof Error ? error.message : String(error);
        await sleep(20);
      }
    }
    if (server.isRunning()) {
      throw new StoreUnavailable(`the Temporal server was not ready after ${startLimitMs / 1000} s: ${lastFault}`);
    }
    await failed;
  };
  try {
    await Promise.race([poll(), failed]);
  } finally {
    await connection.close();
  }
}
