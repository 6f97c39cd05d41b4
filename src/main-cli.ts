import { runCli } from "./interface/cli/program.ts";
import { outliveReaders } from "./interface/outlive-readers.ts";
import { stopRequests } from "./interface/stop-requested.ts";
import { wireCli } from "./wiring.ts";

outliveReaders();

process.exitCode = await runCli(
  process.argv.slice(2),
  wireCli(process.env),
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    width: process.stdout.columns ?? 100,
    interactive: process.stderr.isTTY === true,
    redraws: process.stdout.isTTY === true,
  },
  stopRequests(),
);
