import { readSettings } from "./infrastructure/config/settings.ts";
import { installTemporalRuntime } from "./infrastructure/temporal/worker.ts";
import { outliveReaders } from "./interface/outlive-readers.ts";
import { presentFailure } from "./interface/presenter/failure-presenter.ts";
import { aborted, stopRequests } from "./interface/stop-requested.ts";
import { wireCore, wireWorker } from "./wiring.ts";

outliveReaders();
const stop = stopRequests();

try {
  const settings = readSettings(process.env);
  await using _runtime = installTemporalRuntime(settings.logLevel, (line) => process.stderr.write(`${line}\n`));
  await using core = await wireCore(settings, "now", (note) => process.stderr.write(`${note}\n`));
  await using worker = await wireWorker(core, process.env);
  process.stderr.write(`the worker polls ${settings.taskQueue} at ${worker.address}\n`);
  await Promise.race([worker.done, aborted(stop)]);
} catch (error) {
  const { message, exitStatus } = presentFailure(error);
  process.stderr.write(`${message}\n`);
  process.exitCode = exitStatus;
}
