import type { BackfillUseCase } from "../../usecase/ports/input/backfill-usecase.ts";
import type { HistoryUseCase } from "../../usecase/ports/input/history-usecase.ts";
import type { ManageSchedulesUseCase } from "../../usecase/ports/input/manage-schedules-usecase.ts";
import type { PlanUseCase } from "../../usecase/ports/input/plan-usecase.ts";
import type { RunAnalysisUseCase } from "../../usecase/ports/input/run-analysis-usecase.ts";
import type { ShowResultUseCase } from "../../usecase/ports/input/show-result-usecase.ts";
import type { StatusUseCase } from "../../usecase/ports/input/status-usecase.ts";
import type { SubmitAnalysisUseCase } from "../../usecase/ports/input/submit-analysis-usecase.ts";
import type { SweepUseCase } from "../../usecase/ports/input/sweep-usecase.ts";
import type { DatasetCatalog } from "../../usecase/ports/output/dataset-catalog.ts";

/** What a command borrows; the program gives it back when the command ends. */
export type Borrowed<T> = Promise<T & AsyncDisposable>;

export type DoctorCheck = {
  readonly name: string;
  /** A sentence of what was found. @throws the failure */
  readonly check: () => Promise<string>;
};

/** What a Temporal namespace has now, and what of it is new. */
export type PreparedNamespace = {
  readonly namespace: string;
  /** Search attributes that were missing. */
  readonly registered: readonly string[];
  /** Of the daily sweep. */
  readonly schedule: { readonly id: string; readonly outcome: "created" | "kept" };
};

/** Temporal's development server, a worker, and where asked for the API, in this process. */
export type Development = {
  readonly address: string;
  readonly uiUrl: string;
  readonly apiUrl: string | undefined;
  readonly dbFile: string;
  readonly storeUrl: string;
  readonly submit: SubmitAnalysisUseCase;
  readonly show: ShowResultUseCase;
  /** Rejects when one of the parts ends by itself. */
  readonly failed: Promise<never>;
};

/** Made by the composition root. Each is built when a command needs it, so that `run` never waits for Temporal's client. */
export interface CliServices {
  readonly version: string;
  catalog(): Promise<DatasetCatalog>;
  /** With the clock of the store, which gives a run its fence. */
  run(): Borrowed<{ readonly useCase: RunAnalysisUseCase; now(): Promise<Date> }>;
  show(): Borrowed<{ readonly useCase: ShowResultUseCase }>;
  submit(): Borrowed<{ readonly useCase: SubmitAnalysisUseCase }>;
  status(): Borrowed<{ readonly useCase: StatusUseCase }>;
  history(): Borrowed<{ readonly useCase: HistoryUseCase }>;
  plan(): Borrowed<{ readonly useCase: PlanUseCase }>;
  backfill(): Borrowed<{ readonly useCase: BackfillUseCase }>;
  sweep(): Borrowed<{ readonly useCase: SweepUseCase }>;
  schedules(): Borrowed<{ readonly useCase: ManageSchedulesUseCase }>;
  setup(): Promise<PreparedNamespace>;
  doctor(): readonly DoctorCheck[];
  dev(onProgress: (sentence: string) => void): Borrowed<Development>;
  /** As `dev`, on free ports, without the API, with the service's own definitions. */
  demo(onProgress: (sentence: string) => void): Borrowed<Development>;
}

/** Where a command writes, and what it is asked to heed. */
export type CliStreams = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Columns of the terminal, or 100. */
  readonly width: number;
  /** Whether progress may be drawn on standard error. */
  readonly interactive: boolean;
  /** Whether standard output is a terminal, so that what is there may be drawn anew. */
  readonly redraws: boolean;
};
