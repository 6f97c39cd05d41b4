import type { SweepReport, Swept } from "../../dto/sweep-report.ts";
import type { SweepRequest } from "../../dto/sweep-request.ts";

/**
 * Removes what publication and crashes leave behind: staged objects, refused results among them, unfinished writes, and
 * scratch of this machine. Results, manifests and their history are never touched. Who sweeps twice, or at the same time,
 * does no harm.
 */
export interface SweepUseCase {
  /**
   * What is older than the limit and owned by no live run is removed. All that a run has staged is as old as the newest of
   * it, by the clock of the store.
   *
   * Where live runs are asked for, two things are kept though they are older: what was staged in the last minute, since a
   * run that has just begun is not found yet; and an unfinished write of which no run is known until it is a day old,
   * since it may be under way.
   * @throws BadRequest, StoreUnavailable when the store is away, or whoever knows the live runs
   */
  sweep(request: SweepRequest, control?: { readonly signal?: AbortSignal }): Promise<SweepReport>;

  /** Of the scratch of this machine, what is older than SWEEP_AFTER_HOURS. @throws StoreUnavailable */
  sweepScratch(): Promise<Swept>;
}
