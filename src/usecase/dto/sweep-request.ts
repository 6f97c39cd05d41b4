import { BadRequest } from "../../domain/model/failure.ts";

/** What a person or a schedule asks for, as it comes over the wire. */
export type SweepRequest = {
  /** What is younger is kept. Default: SWEEP_AFTER_HOURS. */
  readonly olderThanHours?: number;
  /** Only tell what would be removed. */
  readonly dryRun?: boolean;
  /** Do not ask which runs are live. */
  readonly byAgeAlone?: boolean;
};

/** @throws BadRequest with the first field that is wrong */
export function parseSweepRequest(request: SweepRequest, defaultHours: number): Required<SweepRequest> {
  const { olderThanHours = defaultHours, dryRun = false, byAgeAlone = false } = request ?? {};
  if (typeof olderThanHours !== "number" || !Number.isFinite(olderThanHours) || olderThanHours < 0) {
    throw new BadRequest(`olderThanHours must be a number of hours, 0 or more, got ${JSON.stringify(olderThanHours)}`);
  }
  for (const [name, value] of Object.entries({ dryRun, byAgeAlone })) {
    if (typeof value !== "boolean") throw new BadRequest(`${name} must be true or false, got ${JSON.stringify(value)}`);
  }
  return { olderThanHours, dryRun, byAgeAlone };
}
