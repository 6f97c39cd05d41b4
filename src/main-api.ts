import { readSettings } from "./infrastructure/config/settings.ts";
import { outliveReaders } from "./interface/outlive-readers.ts";
import { presentFailure } from "./interface/presenter/failure-presenter.ts";
import { aborted, stopRequests } from "./interface/stop-requested.ts";
import { wireApi, wireCore, wireSubmitAnalysis } from "./wiring.ts";

outliveReaders();
const stop = stopRequests();

try {
  await using core = await wireCore(readSettings(process.env), "never");
  await using submit = await wireSubmitAnalysis(core, process.env);
  await using api = await wireApi(core, submit.useCase);
  process.stderr.write(`the API listens at ${api.url}\n`);
  await aborted(stop);
} catch (error) {
  const { message, exitStatus } = presentFailure(error);
  process.stderr.write(`${message}\n`);
  process.exitCode = exitStatus;
}
