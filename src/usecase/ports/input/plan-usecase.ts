import type { Plan } from "../../dto/plan.ts";

export type PlanControl = {
  readonly signal?: AbortSignal;
  /** Told after each date that was looked at. */
  readonly onDate?: (done: number, total: number) => void;
};

/** Foresees what a backfill would do, and changes nothing. Reads no body of a source that is not local. */
export interface PlanUseCase {
  /** @throws BadRequest, UnknownDataset, SourceUnavailable, StoreUnavailable, StoreUnsafe */
  plan(dataset: string, from: string, to: string, control?: PlanControl): Promise<Plan>;
}
