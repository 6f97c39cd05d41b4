// The platform packages of nodejs-polars ask for Node 22. npm compares that with the Node that runs npm itself, for which
// 20 is enough here (the project brings its own Node 24), and then leaves the optional package out without a word.
import { readFileSync, writeFileSync } from "node:fs";

const path = new URL("../package-lock.json", import.meta.url);
const before = readFileSync(path, "utf8");
const lock = JSON.parse(before);
for (const [name, entry] of Object.entries(lock.packages)) {
  if (name.startsWith("node_modules/nodejs-polars-")) delete entry.engines;
}
const after = `${JSON.stringify(lock, null, 2)}\n`;
if (after !== before) writeFileSync(path, after);
