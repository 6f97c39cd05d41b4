import { mkdir, writeFile } from "node:fs/promises";
import { bundleWorkflows } from "../src/infrastructure/temporal/worker.ts";

const { code } = await bundleWorkflows();
await mkdir("build", { recursive: true });
await writeFile("build/workflows.js", code);
process.stdout.write(
  `build/workflows.js, ${code.length} characters: start the worker with WORKFLOW_BUNDLE=build/workflows.js\n`,
);
