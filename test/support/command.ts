import { Stopped } from "../../src/interface/stop-requested.ts";

/**
 * Runs a command of the tests and sets the exit status: that of `main`, or 2 where there is a sentence on what is wrong
 * with the options.
 */
export async function runCommand<T extends object>(
  options: T | string,
  main: (options: T) => Promise<number>,
): Promise<void> {
  if (typeof options !== "string") {
    process.exitCode = await main(options);
    return;
  }
  process.stderr.write(`${options}\n`);
  process.exitCode = 2;
}

/** Tells what has ended a command before its end. @returns the exit status: 3, or that of the signal */
export function exitStatusOf(error: unknown): number {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof Stopped ? error.exitStatus : 3;
}
