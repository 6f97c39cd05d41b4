import { execFile } from "node:child_process";
import { cp } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, vi } from "vitest";
import { createService, type Service } from "../support/service.ts";
import { testBinary } from "../support/temporal.ts";

vi.setConfig({ testTimeout: 180_000 });

const shipped = fileURLToPath(new URL("../../datasets", import.meta.url));

async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(typeof address === "object" ? address?.port : address);
}

async function serviceWithFlights(): Promise<Service> {
  const service = await createService({
    TEMPORAL_DEV_PORT: await freePort(),
    TEMPORAL_DEV_UI_PORT: await freePort(),
    API_PORT: await freePort(),
    TEMPORAL_DEV_DATABASE: "temporal.db",
  });
  await cp(shipped, service.datasets, { recursive: true });
  return service;
}

async function processesGone(service: Service): Promise<boolean> {
  const deadline = Date.now() + 5_000;
  while ((await service.processes()).length > 0 && Date.now() < deadline) await sleep(100);
  return (await service.processes()).length === 0;
}

describe("dev", () => {
  it("serves the temporal CLI, the API and submit until it is stopped, and leaves nothing running", async () => {
    await using service = await serviceWithFlights();
    const dev = service.start("cli", ["dev"]);
    await dev.wrote("Ctrl-C stops all of it");
    const address = `127.0.0.1:${service.env["TEMPORAL_DEV_PORT"]}`;
    const temporal = async (...args: string[]) => {
      const { stdout } = await promisify(execFile)(await testBinary(), [...args, "--address", address], {
        env: service.env,
      });
      return stdout;
    };

    const id = "analysis/flights/2013-02-05";
    const input = '{"dataset":"flights","date":"2013-02-05"}';
    await temporal(
      "workflow",
      "start",
      "--type",
      "runAnalysis",
      "--task-queue",
      "analysis",
      "--workflow-id",
      id,
      "--input",
      input,
    );
    const result = await temporal("workflow", "result", "--workflow-id", id);
    expect(result).toMatch(/COMPLETED/);
    expect(result).toMatch(/"outcome":\s*"published"/);
    expect(
      await temporal("workflow", "list", "--query", "AnalysisDataset = 'flights' AND AnalysisDate = '2013-02-05'"),
    ).toContain(id);

    expect(await temporal("schedule", "describe", "--schedule-id", "sweep", "--output", "json")).toMatch(
      /"workflowType":\s*\{\s*"name":\s*"sweep"/,
    );

    const api = `http://127.0.0.1:${service.env["API_PORT"]}`;
    const accepted = await fetch(`${api}/v1/runs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ dataset: "flights", date: "2013-02-06" }),
    });
    expect([accepted.status, accepted.headers.get("location")]).toEqual([202, "/v1/runs/flights/2013-02-06"]);
    const submitted = await service.run("cli", ["submit", "flights", "2013-02-06", "--json"], {
      TEMPORAL_ADDRESS: address,
    });
    expect(submitted.status).toBe(0);
    const state = await (await fetch(`${api}/v1/runs/flights/2013-02-06`)).json();
    expect(state).toMatchObject({ run: { status: "completed" }, manifest: { dataset: "flights", rowsRead: 901 } });

    const second = await service.run("cli", ["dev"]);
    expect([second.status, second.err]).toEqual([2, expect.stringMatching(/is taken|another Temporal server/)]);

    const asked = Date.now();
    dev.kill("SIGINT");
    const { status } = await dev.ended;
    expect(status).toBe(0);
    expect(Date.now() - asked).toBeLessThan(15_000);
    expect(await processesGone(service)).toBe(true);
  });
});

describe("dev that cannot go on", () => {
  it("names the port that is taken, and leaves nothing running", async () => {
    await using service = await serviceWithFlights();
    const other = createServer().listen(Number(service.env["API_PORT"]), "127.0.0.1");
    try {
      const { status, err } = await service.run("cli", ["dev"]);
      expect([status, err]).toEqual([2, expect.stringMatching(/^bad-request: the API cannot listen .*API_PORT.*\n$/)]);
      expect(await processesGone(service)).toBe(true);
    } finally {
      other.close();
    }
  });

  it("ends with everything when the Temporal server is killed", async () => {
    await using service = await serviceWithFlights();
    const dev = service.start("cli", ["dev"]);
    await dev.wrote("Ctrl-C stops all of it");
    const servers = (await service.processes()).filter(({ command }) => command.includes("server start-dev"));
    process.kill(servers.find(({ parent }) => parent === dev.pid)?.pid ?? 0, "SIGKILL");
    const { status, err } = await dev.ended;
    expect([status, err]).toEqual([22, "store-unavailable: the Temporal server has ended: it ended with SIGKILL\n"]);
    expect(await processesGone(service)).toBe(true);
  });
});

describe("demo", () => {
  it("publishes seven days, and none the second time", async () => {
    await using service = await createService({ TEMPORAL_DEV_DATABASE: "temporal.db" });
    const first = await service.run("cli", ["demo"]);
    expect(first.status).toBe(0);
    expect(first.out.match(/^flights 2013-02-\d\d published/gm)).toHaveLength(7);
    expect(first.out).toContain("7 days published.");
    expect(first.out).toContain('"definitionDigest"');
    const second = await service.run("cli", ["demo"]);
    expect(second.status).toBe(0);
    expect(
      second.out.match(/^flights 2013-02-\d\d unchanged: the published result was made from the same input/gm),
    ).toHaveLength(7);
    expect(second.out).toContain("0 days published, 7 unchanged.");
    const results = (await service.stored()).filter((path) => path.endsWith("result.parquet"));
    expect(results).toHaveLength(7);
    expect((await service.stored()).filter((path) => path.startsWith("_staging/"))).toEqual([]);
    expect(await processesGone(service)).toBe(true);
  });
});
