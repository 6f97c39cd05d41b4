import type { DatasetId } from "../value-object/dataset-id.ts";
import type { Fence } from "../value-object/fence.ts";
import type { PinnedInput } from "../value-object/fingerprint.ts";
import type { RunId } from "../value-object/run-id.ts";
import type { TargetDate } from "../value-object/target-date.ts";

export type ResultColumn = { readonly name: string; readonly type: string };

/** What one check saw. `observed` and `expected` are for a person; `passed` decides. */
export type CheckResult = {
  readonly name: string;
  readonly on: "rows" | "result";
  readonly passed: boolean;
  readonly observed: string;
  readonly expected: string;
};

/** Facts of a finished calculation, before anything is published. */
export type Calculation = {
  readonly rows: number;
  readonly columns: readonly ResultColumn[];
  readonly checks: readonly CheckResult[];
  /** Rows of the input, after the contract. */
  readonly rowsRead: number;
  /** What a person should know of the input and no rule forbids, such as a column that the contract does not name. */
  readonly notes: readonly string[];
};

/** The Parquet bytes of a result that no reader is told about yet. */
export type StagedResult = Calculation & {
  readonly stagedKey: string;
  readonly sizeBytes: number;
  /** Of the staged bytes, which carry a stamp of the run. */
  readonly sha256: string;
  readonly definitionDigest: string;
  readonly peakMemoryBytes: number;
};

/** What a step took. */
export type StepFacts = {
  readonly ms: number;
  /** Resident memory: of the child that calculated; for the other steps of the whole process so far, at its peak. */
  readonly peakMemoryBytes: number;
};

/** The steps before publication, whose record cannot be about itself. */
export type Steps = { readonly inspect: StepFacts; readonly load: StepFacts; readonly analyze: StepFacts };

/** The record beside a published result: what it was made from, by what, and what was checked. */
export type Manifest = {
  readonly version: 2;
  readonly dataset: DatasetId;
  readonly date: TargetDate;
  readonly runId: RunId;
  readonly fence: Fence;
  readonly publishedAt: string;
  readonly definitionDigest: string;
  readonly inputs: readonly PinnedInput[];
  readonly rowsRead: number;
  readonly notes: readonly string[];
  readonly result: {
    readonly key: string;
    readonly rows: number;
    readonly sizeBytes: number;
    readonly sha256: string;
    readonly columns: readonly ResultColumn[];
  };
  readonly checks: readonly CheckResult[];
  readonly engine: { readonly service: string; readonly polars: string; readonly node: string };
  readonly steps: Steps;
  /** Key of this record's immutable copy. */
  readonly key: string;
  /** Key of the record of the result that this one replaced. */
  readonly previous: string | null;
};
