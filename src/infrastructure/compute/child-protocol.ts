import type { Calculation } from "../../domain/model/analysis-result.ts";
import type { FailureCode, FailureDetails } from "../../domain/model/failure.ts";

/**
 * A file as it lies. With `cloudOptions`, which hold credentials, the path is an `s3:` address that the engine reads in
 * place.
 */
export type OrderedFile = {
  readonly uri: string;
  readonly path: string;
  readonly cloudOptions?: Readonly<Record<string, string>>;
};

/** What the parent asks of a child, one order at a time. */
export type ChildOrder = {
  /** Path of the definition. */
  readonly definitionFile: string;
  /** Of the definition that the parent knows; a child that loaded another one refuses. */
  readonly definitionDigest: string;
  readonly date: string;
  readonly files: readonly OrderedFile[];
  /** A folder of this calculation alone. */
  readonly folder: string;
  /** Put into the result's bytes, so that no two runs write the same ones. */
  readonly stamp: string;
};

export type ChildResult = {
  readonly calculation: Calculation;
  readonly resultPath: string;
  readonly sizeBytes: number;
  readonly sha256: string;
};

/** What a child says: it is warm, or how a calculation ended. */
export type ChildMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly result: ChildResult }
  | { readonly kind: "failed"; readonly code: FailureCode; readonly message: string; readonly details: FailureDetails };
