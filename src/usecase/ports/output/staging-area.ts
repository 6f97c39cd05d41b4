import type { RunId } from "../../../domain/value-object/run-id.ts";

/** Something that is needed while a run lasts, and that a crash leaves behind. */
export type Leftover = {
  /** When the newest part of it was written, or it began, by the clock of the place where it lies. */
  readonly modifiedAt: Date;
  /** Nothing where the place does not tell. */
  readonly sizeBytes: number | null;
  /** Removes exactly what was seen. Nothing happens when that is gone already. */
  remove(signal?: AbortSignal): Promise<void>;
};

/** Where results wait for their publication. Every method throws StoreUnavailable when the store is away. */
export interface StagingArea {
  /** All that a run has staged, as one. */
  staged(signal?: AbortSignal): Promise<readonly (Leftover & { readonly runId: RunId })[]>;
  /** Writes that began and have not ended, with the run where it can be told. */
  unfinished(signal?: AbortSignal): Promise<readonly (Leftover & { readonly runId?: RunId })[]>;
  now(): Promise<Date>;
}
