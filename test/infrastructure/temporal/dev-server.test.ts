import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, Connection } from "@temporalio/client";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { BadRequest, StoreUnavailable } from "../../../src/domain/model/failure.ts";
import { type DevServerOptions, startDevServer } from "../../../src/infrastructure/temporal/dev-server.ts";
import { createNamespace, searchAttributes, startTestServer, testBinary } from "../../support/temporal.ts";

vi.setConfig({ testTimeout: 60_000 });

const parent = fileURLToPath(new URL("../../support/dev-server-parent.ts", import.meta.url));
let options: DevServerOptions;
let folder: string;

beforeAll(async () => {
  options = { binary: await testBinary(), port: 0, uiPort: 0, searchAttributes };
}, 400_000);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dev-server-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function withClient<T>(address: string, work: (client: Client) => Promise<T>, namespace = "default"): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await work(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}

async function start(client: Client, workflowId: string): Promise<void> {
  await client.workflow.start("none", {
    workflowId,
    taskQueue: "none",
    searchAttributes: { AnalysisDataset: ["flights"], AnalysisDate: ["2013-02-05"] },
  });
}

async function listens(address: string): Promise<boolean> {
  const [host, port] = address.split(":");
  const socket = connect(Number(port), host);
  return await new Promise<boolean>((settle) => {
    socket.once("connect", () => settle(true)).once("error", () => settle(false));
  }).finally(() => socket.destroy());
}

test("takes a workflow with the search attributes at once, and shows its web interface", async () => {
  await using server = await startDevServer(options);
  await withClient(server.address, async (client) => {
    await start(client, "analysis/flights/2013-02-05");
    expect((await client.workflow.getHandle("analysis/flights/2013-02-05").describe()).status.name).toBe("RUNNING");
  });
  expect((await fetch(server.uiUrl)).status).toBe(200);
});

test("is gone when stop settles, and stop may be called again", async () => {
  const server = await startDevServer(options);
  await Promise.all([server.stop(), server.stop()]);
  await server.stop();
  expect(await listens(server.address)).toBe(false);
  expect(() => process.kill(server.pid, 0)).toThrow("ESRCH");
});

test("two servers started at once do not meet", async () => {
  const servers = await Promise.all([startTestServer(), startTestServer()]);
  expect(new Set(servers.flatMap(({ address, uiUrl }) => [address, uiUrl])).size).toBe(4);
  await Promise.all(servers.map((server) => server.stop()));
});

test("workflows in a db file outlive the server, killed or stopped, with the same attributes given again", async () => {
  const kept = { ...options, dbFile: join(folder, "below", "temporal.db"), logFile: join(folder, "server.log") };
  const first = await startDevServer(kept);
  await withClient(first.address, async (client) => await start(client, "one"));
  process.kill(first.pid, "SIGKILL");
  expect(await first.ended).toBe("it ended with SIGKILL");
  const second = await startDevServer(kept);
  await withClient(second.address, async (client) => await start(client, "two"));
  await second.stop();
  await using third = await startDevServer(kept);
  await withClient(third.address, async (client) => {
    for (const id of ["one", "two"]) {
      const { searchAttributes: found } = await client.workflow.getHandle(id).describe();
      expect(found["AnalysisDate"]).toEqual(["2013-02-05"]);
    }
  });
  expect(await readFile(kept.logFile, "utf8")).toContain("Temporal Server:");
});

test("a db file that a running server uses is refused", async () => {
  const kept = { ...options, dbFile: join(folder, "temporal.db") };
  await using _server = await startDevServer(kept);
  await expect(startDevServer(kept)).rejects.toThrow(BadRequest);
  await expect(startDevServer(kept)).rejects.toThrow(/another Temporal server uses .*temporal\.db/);
});

test.each([
  ["port", "TEMPORAL_DEV_PORT"],
  ["uiPort", "TEMPORAL_DEV_UI_PORT"],
] as const)("a taken %s gives one sentence that names it and the setting", async (option, setting) => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((settle) => other.once("listening", settle));
  const address = other.address();
  const taken = typeof address === "object" && address !== null ? address.port : 0;
  const started = startDevServer({ ...options, [option]: taken });
  await expect(started).rejects.toThrow(BadRequest);
  await expect(started).rejects.toThrow(new RegExp(`^port ${taken} on 127\\.0\\.0\\.1.*is taken.*${setting}`));
  other.close();
});

test("a server that ends early says why in its own words, at once", async () => {
  const notADatabase = { ...options, dbFile: join(folder, "text") };
  await writeFile(notADatabase.dbFile, "text".repeat(1_000));
  const begin = performance.now();
  await expect(startDevServer({ ...options, binary: join(folder, "absent") })).rejects.toThrow(
    /not found|No such file/,
  );
  await expect(startDevServer(notADatabase)).rejects.toThrow(StoreUnavailable);
  await expect(startDevServer(notADatabase)).rejects.toThrow(/file is not a database/);
  expect(performance.now() - begin).toBeLessThan(10_000);
});

test.each(["in memory", "in a db file"])("a server %s does not outlive a parent that is killed", async (where) => {
  const args = where === "in memory" ? [] : [join(folder, "temporal.db")];
  const child = spawn(process.execPath, [parent, options.binary, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise<string>((settle) => createInterface(child.stdout).once("line", settle));
  const { address } = JSON.parse(line) as { address: string };
  // While it starts it has much to say, and would end by chance, of the broken pipe.
  await sleep(2_000);
  expect(await listens(address)).toBe(true);
  child.kill("SIGKILL");
  const begin = performance.now();
  // Its pid may stay a while longer, until the system's first process has taken note of it.
  while ((await listens(address)) && performance.now() - begin < 5_000) await sleep(20);
  expect(performance.now() - begin).toBeLessThan(2_000);
});

test("namespaces of one server keep equal workflow ids apart", async () => {
  await using server = await startTestServer();
  for (const namespace of [await createNamespace(server.address), await createNamespace(server.address)]) {
    await withClient(server.address, async (client) => await start(client, "same"), namespace);
  }
});
