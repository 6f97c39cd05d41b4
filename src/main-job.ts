import { readSettings } from "./infrastructure/config/settings.ts";
import { runJob } from "./interface/job/analysis-job-controller.ts";
import { outliveReaders } from "./interface/outlive-readers.ts";
import { failureJson, presentFailure } from "./interface/presenter/failure-presenter.ts";
import { printJson } from "./interface/presenter/json-presenter.ts";
import { stopRequests } from "./interface/stop-requested.ts";
import { wireCore, wireRunAnalysis } from "./wiring.ts";

outliveReaders();
const signal = stopRequests();

try {
  await using core = await wireCore(readSettings(process.env), "once");
  await using run = wireRunAnalysis(core, "one");
  const output = await runJob(run.useCase, process.env, () => core.store.now(), {
    signal,
    onStep: (step) => process.stderr.write(`${step}\n`),
  });
  process.stdout.write(`${printJson(output)}\n`);
} catch (thrown) {
  const error: unknown = signal.aborted ? signal.reason : thrown;
  process.stderr.write(`${printJson(failureJson(error))}\n`);
  process.exitCode = presentFailure(error).exitStatus;
}
