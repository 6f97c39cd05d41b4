export type Amount = {
  readonly count: number;
  /** Nothing where sizes are not known. */
  readonly sizeBytes: number | null;
};

/** What became of the leftovers of one kind, or, of a dry run, what would. */
export type Swept = {
  readonly removed: Amount;
  /** Kept: a live run or process owns it. */
  readonly live: Amount;
  /** Kept: younger than the limit. */
  readonly young: Amount;
};

export type SweepReport = {
  readonly olderThanHours: number;
  readonly dryRun: boolean;
  /** Runs that have staged something; all that one has staged counts as one. */
  readonly staged: Swept;
  /** Writes to the store that were never completed. */
  readonly unfinished: Swept;
  /** Files and folders of calculations and downloads on the machine that swept. */
  readonly scratch: Swept;
};
