import { randomUUID } from "node:crypto";
import { Connection } from "@temporalio/client";
import { msToTs } from "@temporalio/common/lib/time.js";
import { expect, inject, test } from "vitest";
import { createService } from "../../support/service.ts";

async function bareNamespace(address: string): Promise<string> {
  const namespace = `bare-${randomUUID()}`;
  const connection = await Connection.connect({ address });
  const workflowExecutionRetentionPeriod = msToTs("1 day");
  await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
  await connection.close();
  return namespace;
}

test("a worker and doctor refuse a namespace without the search attributes until setup has registered them", async () => {
  const address = inject("temporalAddress");
  const namespace = await bareNamespace(address);
  await using service = await createService({ TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace });
  await service.define("totals");

  const refused = await service.run("worker");
  expect(refused).toMatchObject({ status: 22, out: "" });
  expect(refused.err).toMatch(
    new RegExp(`^the namespace ${namespace} lacks the search attributes AnalysisDataset, AnalysisDate: run .* setup`),
  );
  const ill = await service.run("cli", ["doctor", "--json"]);
  expect(ill.status).toBe(22);
  const { ok, checks } = JSON.parse(ill.out);
  expect(ok).toBe(false);
  expect(checks.filter((check: { ok: boolean }) => !check.ok)).toMatchObject([{ name: "temporal" }]);

  expect(await service.run("cli", ["setup"])).toMatchObject({
    status: 0,
    out: `namespace ${namespace}: registered AnalysisDataset, AnalysisDate; created the schedule sweep\n`,
  });
  expect(await service.run("cli", ["setup"])).toMatchObject({
    status: 0,
    out: `namespace ${namespace}: no search attribute was missing; kept the schedule sweep\n`,
  });
  await service.worker();
  const well = await service.run("cli", ["doctor"]);
  expect(well).toMatchObject({ status: 0, err: "" });
  expect(well.out.match(/^ok {4}/gm)).toHaveLength(checks.length);
});

test("setup tells of a namespace that does not exist, in one sentence", async () => {
  await using service = await createService({
    TEMPORAL_ADDRESS: inject("temporalAddress"),
    TEMPORAL_NAMESPACE: "no-such-namespace",
  });
  await service.define("totals");
  for (const args of [["setup"], ["submit", "totals", "2026-01-01"]]) {
    const { status, err } = await service.run("cli", args);
    expect(status).toBe(22);
    expect(err).toMatch(/^store-unavailable: .*no-such-namespace.*\n$/);
  }
});
