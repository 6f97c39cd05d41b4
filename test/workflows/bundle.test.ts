import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleWorkflowCode, DefaultLogger } from "@temporalio/worker";
import { expect, inject, test } from "vitest";
import { bundleWorkflows } from "../../src/infrastructure/temporal/worker.ts";
import { createServiceWithTemporal, smallCsv } from "../support/service.ts";

const forbidden = /nodejs-polars|(?:require|import)\(\s*["']node:|from\s*["']node:/;

test("the bundle has the workflows, and neither Polars nor a Node module", async () => {
  const { code } = await bundleWorkflows();
  const withoutMap = code.replace(/\/\/# sourceMappingURL=\S+/, "");
  expect(withoutMap).toContain("async function runAnalysis(");
  expect(withoutMap).toContain("async function dailyAnalysis(");
  expect(withoutMap).toContain("async function backfill(");
  expect(withoutMap).toContain("async function sweep(");
  expect(withoutMap).not.toMatch(forbidden);
});

test.each(["nodejs-polars", "node:fs"])("a workflow that imports %s is refused", async (name) => {
  const folder = await mkdtemp(join(tmpdir(), "bundle-"));
  try {
    await symlink(fileURLToPath(new URL("../../node_modules", import.meta.url)), join(folder, "node_modules"));
    await mkdir(join(folder, "workflows"));
    const workflowsPath = join(folder, "workflows/index.ts");
    await writeFile(workflowsPath, `import * as all from "${name}";\nexport const runAnalysis = async () => all;\n`);
    const said: string[] = [];
    const logger = new DefaultLogger("ERROR", ({ message }) => said.push(message));
    await expect(bundleWorkflowCode({ workflowsPath, logger })).rejects.toThrow("Webpack finished with errors");
    expect(said.join("\n")).toContain(name);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a worker starts from what build:workflows has written", async () => {
  await using service = await createServiceWithTemporal(inject("temporalAddress"));
  await service.define("totals");
  await service.write("2026-01-01.csv", smallCsv);
  expect(await service.run("scripts/build-workflows.ts")).toMatchObject({ status: 0, err: "" });
  const worker = await service.worker({ WORKFLOW_BUNDLE: "build/workflows.js" });
  expect(await service.run("cli", ["submit", "totals", "2026-01-01"])).toMatchObject({ status: 0 });
  worker.kill("SIGTERM");
  expect(await worker.ended).toMatchObject({ status: 0 });
});

test("a worker that is given no bundle file says so in one sentence and ends", async () => {
  await using service = await createServiceWithTemporal(inject("temporalAddress"));
  await service.define("totals");
  const { status, err } = await service.run("worker", [], { WORKFLOW_BUNDLE: "build/absent.js" });
  expect(status).toBe(2);
  expect(err).toMatch(/^WORKFLOW_BUNDLE .*build\/absent\.js.*\n$/);
});
