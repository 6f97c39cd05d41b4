import type { Plan } from "../../dto/plan.ts";

export type PlanControl = {
  readonly signal?: AbortSignal;
  /** Do not ask Temporal which dates have failed. The hash is the same. */
  readonly withoutTemporal?: boolean;
  /** Told after each date that was looked at. */
  readonly onDate?: (done: number, total: number) => void;
};

/** Foresees what a backfill would do, and changes nothing. Reads no body of a source that is not local. */
export interface PlanUseCase {
  /**
   * Where Temporal is away the plan says so, and has no `failed`.
   * @throws BadRequest, UnknownDataset, StoreUnavailable, StoreUnsafe; SourceUnavailable when no date can be asked about
   */
  plan(dataset: string, from: string, to: string, control?: PlanControl): Promise<Plan>;
}
