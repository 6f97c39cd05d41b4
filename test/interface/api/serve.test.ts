import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createService, smallCsv } from "../../support/service.ts";
import { startTestServer } from "../../support/temporal.ts";

test("the API process takes runs, says within seconds when Temporal is gone, and ends on SIGTERM meanwhile", async () => {
  const server = await startTestServer();
  await using service = await createService({ TEMPORAL_ADDRESS: server.address, API_PORT: "0" });
  await service.define("totals");
  await service.write("2026-01-01.csv", smallCsv);
  const api = service.start("api");
  await api.wrote("the API listens at");
  const url = /http:\S+/.exec(api.err())?.[0] ?? "";
  const post = () =>
    fetch(`${url}/v1/runs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ dataset: "totals", date: "2026-01-01" }),
    });

  const accepted = await post();
  expect([accepted.status, accepted.headers.get("location")]).toEqual([202, "/v1/runs/totals/2026-01-01"]);
  const { runId } = (await accepted.json()) as { readonly runId: string };
  const worker = await service.worker();
  expect(await service.run("cli", ["submit", "totals", "2026-01-01"])).toMatchObject({ status: 0 });
  worker.kill("SIGTERM");
  await worker.ended;
  const state = await fetch(`${url}/v1/runs/totals/2026-01-01`);
  expect(await state.json()).toMatchObject({ run: { status: "completed" }, manifest: { dataset: "totals", runId } });

  await server.stop();
  const begin = performance.now();
  const [away, refused] = await Promise.all([fetch(`${url}/v1/runs/totals/2026-01-01`), post()]);
  expect(performance.now() - begin).toBeLessThan(8_000);
  for (const response of [away, refused]) {
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      code: "store-unavailable",
      detail: expect.stringContaining("ECONNREFUSED"),
    });
  }
  const underWay = post();
  await sleep(1_000);
  const asked = performance.now();
  api.kill("SIGTERM");
  expect(await api.ended).toMatchObject({ status: 0, signal: null });
  expect(performance.now() - asked).toBeLessThan(10_000);
  expect((await underWay).status).toBe(503);
});
