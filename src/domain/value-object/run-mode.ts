import { BadRequest } from "../model/failure.ts";

/**
 * `changed`: run unless the published result was made from the same input and definition.
 * `missing`: run only where nothing is published. `force`: always run.
 */
export type RunMode = "changed" | "missing" | "force";

const runModes = ["changed", "missing", "force"] as const satisfies readonly RunMode[];

/** @throws BadRequest unless the text is a mode; nothing means `changed`. */
export function parseRunMode(text: unknown): RunMode {
  if (text === undefined || text === null || text === "") return "changed";
  const mode = runModes.find((known) => known === text);
  if (mode === undefined) {
    throw new BadRequest(`mode must be one of ${runModes.join(", ")}, got ${JSON.stringify(text)}`);
  }
  return mode;
}
