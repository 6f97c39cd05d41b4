import type { DataType, Expr, LazyDataFrame } from "nodejs-polars";
import type { TargetDate } from "../value-object/target-date.ts";

/** A column of the input contract. */
export type Column = {
  /** A Polars type, such as `pl.Int64` or `pl.Datetime("us")`. */
  readonly type: DataType;
  /** Whether a value may be missing. Default: false. */
  readonly nullable?: boolean;
  /** How text becomes a Date or Datetime, in strftime terms such as `%d/%m/%Y`. Default: ISO 8601. */
  readonly format?: string;
};

export type Schema = Readonly<Record<string, Column>>;

/** Where the input lies. `{date}`, `{yyyy}`, `{mm}` and `{dd}` stand for the target date. */
export type Source = {
  /**
   * `file:`, `http:`, `https:` or `s3:`; several addresses make one input. A relative `file:./…` starts at the folder of
   * the definition.
   */
  readonly uri: string | readonly string[];
  /** Whether `*`, `?` and `[…]` in a `file:` path or an `s3:` key are patterns. Default: false. */
  readonly glob?: boolean;
  /** Hosts that http(s) addresses and their redirects may name, with the port where it is not the usual one. Default: the hosts of `uri`. */
  readonly allowedHosts?: readonly string[];
  /** The sha256 that the one input file must have, in hex. */
  readonly sha256?: string;
  /** The environment variable whose value is sent as the Authorization header, to the first host only. */
  readonly secret?: string;
};

/** How the bytes become rows. gzip and zstd are told by their first bytes and need no option. */
export type Format =
  | {
      readonly type: "csv";
      /** One ASCII character. Default: `,`. */
      readonly separator?: string;
      /** One ASCII character. Default: `"`. */
      readonly quoteChar?: string;
      /** Texts that mean a missing value, beside the empty one. Default: none. */
      readonly nullValues?: readonly string[];
    }
  | { readonly type: "ndjson" }
  | { readonly type: "parquet" }
  /** The Arrow IPC file format, not the stream. */
  | { readonly type: "arrow" };

/** `on`: what is checked, the rows of the input or the result. Default: `result`. */
type On = { readonly on: "rows" | "result" };

export type Check = On &
  (
    | { readonly kind: "row-count"; readonly min?: number; readonly max?: number }
    | { readonly kind: "not-null"; readonly columns: readonly string[] }
    | { readonly kind: "unique"; readonly columns: readonly string[] }
    | { readonly kind: "in-range"; readonly column: string; readonly min?: number; readonly max?: number }
    | { readonly kind: "accepted"; readonly column: string; readonly values: readonly (string | number | boolean)[] }
    | { readonly kind: "holds"; readonly name: string; readonly predicate: Expr }
  );

/** What one calculation may use. */
export type Compute = {
  /** Resident memory of the calculation, in MiB. Default: 4096. */
  readonly memoryMiB?: number;
  /** Threads of the engine. Default: the cores of the machine. */
  readonly cores?: number;
  /** Default: 3600. */
  readonly timeLimitSeconds?: number;
};

export const computeDefaults = { memoryMiB: 4096, timeLimitSeconds: 3600 } as const;

export const dailyDefaults = { lagDays: 1, lateDays: 0 } as const;

export type AnalysisContext = { readonly date: TargetDate };

/** A named, daily-partitioned input with its contract and its analysis. */
export type DatasetDefinition<S extends Schema = Schema> = {
  /** Lower-case letters, digits, inner hyphens; at most 40. Names the dataset in keys, workflow ids and commands. */
  readonly id: string;
  readonly title: string;
  readonly source: Source;
  readonly format: Format;
  /** The input contract: columns are matched by name; what is not listed is not seen by the analysis. */
  readonly schema: S;
  /** IANA name, such as `Europe/Berlin`: whose calendar the dates are of. */
  readonly timeZone: string;
  /** Pure: rows of the contract in, result out, nothing read and nothing kept. */
  readonly analyze: (rows: LazyDataFrame<{ [K in keyof S]: S[K]["type"] }>, context: AnalysisContext) => LazyDataFrame;
  /** Columns of the result that order it; together they name a row, so a repeat among them fails the audit. */
  readonly sortBy: readonly string[];
  readonly checks: readonly Check[];
  /** A cron expression of five fields in `timeZone`, for a daily run. */
  readonly schedule?: string;
  /** The target date is the nominal local date minus this many days, at most 366. Default: 1. */
  readonly lagDays?: number;
  /** Local time `HH:MM` after which a date without a result is late. */
  readonly deadline?: string;
  /** How many days back the daily run looks for changed inputs, at most 366. Default: 0. */
  readonly lateDays?: number;
  /** Inputs above this size in bytes go to a cluster, where one is configured. */
  readonly largeBytes?: number;
  readonly compute?: Compute;
};
