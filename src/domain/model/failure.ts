/** The stable codes of docs/failures.md. A code is a contract: exit statuses, HTTP and Temporal types derive from it. */
export type FailureCode =
  | "bad-request"
  | "unknown-dataset"
  | "input-missing"
  | "input-invalid"
  | "checks-failed"
  | "input-changed"
  | "source-unavailable"
  | "store-unavailable"
  | "out-of-memory"
  | "timed-out"
  | "crashed"
  | "store-unsafe";

export type FailureDetails = Readonly<Record<string, unknown>>;

/** An expected failure: one sentence that says what was expected, what came, and for which dataset and date. */
export abstract class AnalysisFailure extends Error {
  abstract readonly code: FailureCode;
  readonly details: FailureDetails;

  constructor(message: string, options: { readonly details?: FailureDetails; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.details = options.details ?? {};
  }
}

/** A malformed id, date, mode, setting or definition. Never a well-formed request for something absent. */
export class BadRequest extends AnalysisFailure {
  override readonly name = "BadRequest";
  readonly code = "bad-request";
}

/** A well-formed id that no definition has. */
export class UnknownDataset extends AnalysisFailure {
  override readonly name = "UnknownDataset";
  readonly code = "unknown-dataset";
}

/** The source answers, and has nothing for this date. Not when the source is away. */
export class InputMissing extends AnalysisFailure {
  override readonly name = "InputMissing";
  readonly code = "input-missing";
}

/** The bytes break the contract: undecodable, wrong columns or types, a null where none may be, a wrong checksum. */
export class InputInvalid extends AnalysisFailure {
  override readonly name = "InputInvalid";
  readonly code = "input-invalid";
}

/** The audit of rows or of the staged result said no. The published result stays as it was. */
export class ChecksFailed extends AnalysisFailure {
  override readonly name = "ChecksFailed";
  readonly code = "checks-failed";
}

/** The source was changed while it was read. */
export class InputChanged extends AnalysisFailure {
  override readonly name = "InputChanged";
  readonly code = "input-changed";
}

/** Network faults, 429 and 5xx of a source. `details.retryAfterMs` where the source asked for a pause. */
export class SourceUnavailable extends AnalysisFailure {
  override readonly name = "SourceUnavailable";
  readonly code = "source-unavailable";
}

/** The result store, or Temporal where a command needs it, is away or refuses. */
export class StoreUnavailable extends AnalysisFailure {
  override readonly name = "StoreUnavailable";
  readonly code = "store-unavailable";
}

/** The calculation was ended for its memory. */
export class OutOfMemory extends AnalysisFailure {
  override readonly name = "OutOfMemory";
  readonly code = "out-of-memory";
}

/** The calculation ran past its time limit. */
export class TimedOut extends AnalysisFailure {
  override readonly name = "TimedOut";
  readonly code = "timed-out";
}

/** The calculation aborted, or its code threw. */
export class Crashed extends AnalysisFailure {
  override readonly name = "Crashed";
  readonly code = "crashed";
}

/** The store ignores the conditions that publication depends on, or holds an object that this service did not write. */
export class StoreUnsafe extends AnalysisFailure {
  override readonly name = "StoreUnsafe";
  readonly code = "store-unsafe";
}

const classes = {
  "bad-request": BadRequest,
  "unknown-dataset": UnknownDataset,
  "input-missing": InputMissing,
  "input-invalid": InputInvalid,
  "checks-failed": ChecksFailed,
  "input-changed": InputChanged,
  "source-unavailable": SourceUnavailable,
  "store-unavailable": StoreUnavailable,
  "out-of-memory": OutOfMemory,
  "timed-out": TimedOut,
  crashed: Crashed,
  "store-unsafe": StoreUnsafe,
} as const satisfies Record<FailureCode, new (...args: ConstructorParameters<typeof BadRequest>) => AnalysisFailure>;

export const failureCodes = Object.keys(classes) as readonly FailureCode[];

export function isFailureCode(text: unknown): text is FailureCode {
  return typeof text === "string" && Object.hasOwn(classes, text);
}

/** Rebuilds a failure that crossed a process or the network. */
export function failureOf(code: FailureCode, message: string, details?: FailureDetails): AnalysisFailure {
  return new classes[code](message, details === undefined ? {} : { details });
}
