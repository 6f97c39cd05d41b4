import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { BadRequest, StoreUnavailable } from "../../../src/domain/model/failure.ts";
import { connectClient, readTemporalTarget, withClient } from "../../../src/infrastructure/temporal/connection.ts";
import { createService, smallCsv } from "../../support/service.ts";
import { createNamespace, startTestServer } from "../../support/temporal.ts";

const nobody = { TEMPORAL_ADDRESS: "127.0.0.1:1" };

test("nobody at the address is told within a second, in one sentence with the reason and what to do", async () => {
  const begin = performance.now();
  const connecting = connectClient(readTemporalTarget(nobody));
  await expect(connecting).rejects.toThrow(StoreUnavailable);
  await expect(connecting).rejects.toThrow(
    /^no Temporal server answers at 127\.0\.0\.1:1 \(connect ECONNREFUSED 127\.0\.0\.1:1\): start one with .*TEMPORAL_ADDRESS$/,
  );
  expect(performance.now() - begin).toBeLessThan(1_000);
});

test("a server that goes away during the work is a store that is away", async () => {
  const server = await startTestServer();
  const namespace = await createNamespace(server.address);
  const target = readTemporalTarget({ TEMPORAL_ADDRESS: server.address, TEMPORAL_NAMESPACE: namespace });
  const work = withClient(target, async (client) => {
    await server.stop();
    return await client.workflow.getHandle("absent").describe();
  });
  const begin = performance.now();
  await expect(work).rejects.toThrow(StoreUnavailable);
  await expect(work).rejects.toThrow(/ECONNREFUSED|Deadline exceeded/);
  expect(performance.now() - begin).toBeLessThan(8_000);
});

test("an address, a namespace and a file mean what they mean to the temporal CLI", () => {
  expect(readTemporalTarget({ TEMPORAL_CONFIG_FILE: "/no/such/file" })).toMatchObject({
    address: "127.0.0.1:7233",
    namespace: "default",
  });
  const env = { TEMPORAL_ADDRESS: "temporal.example:7233", TEMPORAL_NAMESPACE: "analysis", TEMPORAL_API_KEY: "key" };
  expect(readTemporalTarget(env)).toMatchObject({
    address: "temporal.example:7233",
    namespace: "analysis",
    connectionOptions: { apiKey: "key" },
  });
  expect(() => readTemporalTarget({ TEMPORAL_PROFILE: "absent" })).toThrow(BadRequest);
});

test("Ctrl-C during a wait ends the command at once, also when the server is gone and the call is being retried", async () => {
  const server = await startTestServer();
  await using service = await createService({ TEMPORAL_ADDRESS: server.address });
  await service.define("totals");
  await service.write("2026-01-01.csv", smallCsv);
  // No worker: the wait lasts.
  const beforeFirst = performance.now();
  const accepted = await service.run("cli", ["submit", "totals", "2026-01-01", "--no-wait"]);
  expect(accepted).toMatchObject({ status: 0, err: "" });
  const waits = [
    service.start("cli", ["submit", "totals", "2026-01-01"]),
    service.start("cli", ["submit", "totals", "2026-01-01", "--json"]),
  ];
  await sleep(2 * (performance.now() - beforeFirst) + 500);
  await server.stop();
  await sleep(300);
  const begin = performance.now();
  for (const wait of waits) wait.kill("SIGINT");
  const [plain, json] = await Promise.all(waits.map((wait) => wait.ended));
  expect(performance.now() - begin).toBeLessThan(3_000);
  expect(plain).toMatchObject({ status: 130, out: "", err: "stopped: asked to end by SIGINT\n" });
  expect(json).toMatchObject({ status: 130, out: "" });
  expect(JSON.parse(json?.err ?? "")).toEqual({ error: { code: "stopped", message: "asked to end by SIGINT" } });
});
