import { AnalysisFailure, type FailureCode } from "../../domain/model/failure.ts";
import { Stopped } from "../stop-requested.ts";

/** What each edge shows for a code. docs/failures.md has the same table, and a test compares them. */
const edges = {
  "bad-request": { exitStatus: 2, httpStatus: 400, title: "The request is malformed" },
  "unknown-dataset": { exitStatus: 10, httpStatus: 404, title: "There is no such dataset" },
  "input-missing": { exitStatus: 11, httpStatus: 404, title: "The source has nothing for this date" },
  "input-invalid": { exitStatus: 12, httpStatus: 422, title: "The input breaks its contract" },
  "checks-failed": { exitStatus: 13, httpStatus: 422, title: "The audit refused the result" },
  "input-changed": { exitStatus: 20, httpStatus: 503, title: "The source changed while it was read" },
  "source-unavailable": { exitStatus: 21, httpStatus: 503, title: "The source is away" },
  "store-unavailable": { exitStatus: 22, httpStatus: 503, title: "The store or Temporal is away" },
  "out-of-memory": { exitStatus: 30, httpStatus: 507, title: "The calculation needed too much memory" },
  "timed-out": { exitStatus: 31, httpStatus: 504, title: "The calculation took too long" },
  crashed: { exitStatus: 32, httpStatus: 500, title: "The calculation crashed" },
  "store-unsafe": { exitStatus: 40, httpStatus: 500, title: "The store cannot be trusted" },
} as const satisfies Record<FailureCode, { exitStatus: number; httpStatus: number; title: string }>;

export type PresentedFailure = {
  readonly code: FailureCode | "stopped";
  readonly exitStatus: number;
  readonly httpStatus: number;
  readonly title: string;
  /** One sentence for a person; never a stack. */
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
};

/**
 * An error of any kind as an edge shows it. What is no expected failure, nor a stop that was asked for, is a fault of this
 * program: `crashed`.
 */
export function presentFailure(error: unknown): PresentedFailure {
  if (error instanceof Stopped) {
    const { exitStatus, message, details } = error;
    return {
      code: "stopped",
      exitStatus,
      httpStatus: 503,
      title: "The process was asked to end",
      message,
      details,
    };
  }
  if (error instanceof AnalysisFailure) {
    return { code: error.code, ...edges[error.code], message: error.message, details: error.details };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "crashed", ...edges.crashed, message: `unexpected: ${message}`, details: {} };
}

/** `{"error": {"code", "message", …}}`, as `--json` writes it to standard error. */
export function failureJson(error: unknown): { readonly error: Readonly<Record<string, unknown>> } {
  const { code, message, details } = presentFailure(error);
  const words = { code, message };
  return { error: { ...words, ...details, ...words } };
}
