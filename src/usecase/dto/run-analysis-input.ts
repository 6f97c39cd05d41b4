import { BadRequest } from "../../domain/model/failure.ts";
import { type DatasetId, parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { type Fence, parseFence } from "../../domain/value-object/fence.ts";
import { parseRunId, type RunId } from "../../domain/value-object/run-id.ts";
import { parseRunMode, type RunMode } from "../../domain/value-object/run-mode.ts";
import { parseTargetDate, type TargetDate } from "../../domain/value-object/target-date.ts";

/** What a person or a schedule asks for, as it comes over the wire. */
export type RunAnalysisRequest = {
  readonly dataset: string;
  readonly date: string;
  readonly mode?: string;
  /** Replace an object at the stable key that this service did not write. */
  readonly adopt?: boolean;
};

/** A request with the identity of the run that serves it. */
export type RunAnalysisInput = RunAnalysisRequest & { readonly runId: string; readonly fence: string };

export type ParsedRun = {
  readonly dataset: DatasetId;
  readonly date: TargetDate;
  readonly mode: RunMode;
  readonly adopt: boolean;
  readonly runId: RunId;
  readonly fence: Fence;
};

/** @throws BadRequest with the first field that is wrong */
export function parseRunAnalysisInput(input: RunAnalysisInput): ParsedRun {
  return { ...parseRunAnalysisRequest(input), runId: parseRunId(input.runId), fence: parseFence(input.fence) };
}

/** @throws BadRequest with the first field that is wrong */
export function parseRunAnalysisRequest(request: RunAnalysisRequest): Omit<ParsedRun, "runId" | "fence"> {
  return {
    dataset: parseDatasetId(request?.dataset),
    date: parseTargetDate(request.date),
    mode: parseRunMode(request.mode),
    adopt: parseAdopt(request.adopt),
  };
}

function parseAdopt(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value === "boolean") return value;
  throw new BadRequest(`adopt must be true or false, got ${JSON.stringify(value)}`);
}
