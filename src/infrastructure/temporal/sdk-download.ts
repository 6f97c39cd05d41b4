/**
 * A program of its own, since the SDK's download can be ended only together with its process, and would install the
 * process-wide Temporal runtime before the caller could configure it: `node sdk-download.ts <empty folder> <version>`.
 */
import { TestWorkflowEnvironment } from "@temporalio/testing";

const [downloadDir, version] = process.argv.slice(2);
if (!downloadDir || !version) throw new Error("expected a folder and a version");

// The caller holds the other end: when it ends, this whole process group does, a half-started server included.
process.stdin.once("end", () => process.kill(-process.pid, "SIGKILL")).resume();

try {
  const environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: "cached-download", downloadDir, version } },
  });
  await environment.teardown();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
process.stdin.destroy();
