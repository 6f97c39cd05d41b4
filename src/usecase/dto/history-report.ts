import type { DatasetId } from "../../domain/value-object/dataset-id.ts";
import type { Fence } from "../../domain/value-object/fence.ts";
import type { RunId } from "../../domain/value-object/run-id.ts";
import type { TargetDate } from "../../domain/value-object/target-date.ts";

export type PastResult = {
  readonly outcome: "live" | "replaced";
  readonly publishedAt: string;
  readonly runId: RunId;
  readonly fence: Fence;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly definitionDigest: string;
  /** Against the result that this one replaced; nothing for the first. */
  readonly definition: "same" | "different" | null;
  readonly inputs: "same" | "different" | "unknown" | null;
  /** Key of its manifest. */
  readonly manifest: string;
};

export type HistoryReport = {
  readonly dataset: DatasetId;
  readonly date: TargetDate;
  readonly results: readonly PastResult[];
  /** Whether there are older ones. */
  readonly more: boolean;
};
