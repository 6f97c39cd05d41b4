/* A parent that orders one analysis from a child, tells the child's pid, and waits to be killed. */

import { supervise } from "../../src/infrastructure/compute/supervise-child.ts";
import { createWarmChildren } from "../../src/infrastructure/compute/warm-children.ts";
import { importDefinition } from "../../src/infrastructure/config/definition-modules.ts";

const [main = "", file = "", input = "", folder = ""] = process.argv.slice(2);
const children = createWarmChildren({ main, spares: 0, definitions: [], env: process.env });
const child = children.take();
const { digest } = await importDefinition(file);
const order = {
  definitionFile: file,
  definitionDigest: digest,
  date: "2026-01-01",
  files: [{ uri: "file:///in", path: input }],
  folder,
  stamp: "run=1",
};
child.ready.then(() => setTimeout(() => process.stdout.write(`${child.process.pid}\n`), 300));
await supervise(child, order, { memoryBytes: 2 ** 40, timeLimitMs: 60_000 }, "the analysis");
