import type { Manifest } from "../../../domain/model/analysis-result.ts";

/** A cell as JSON can hold it; integers beyond 2^53 are a bigint with all digits, decimals are text. */
export type Cell = string | number | bigint | boolean | null | readonly Cell[] | { readonly [field: string]: Cell };

export type ShownResult = {
  readonly dataset: string;
  readonly date: string;
  readonly manifest: Manifest;
  /** In the order of the result's keys. */
  readonly rows: readonly Readonly<Record<string, Cell>>[];
};

export interface ShowResultUseCase {
  /**
   * The published result, as one consistent pair of manifest and rows.
   * @param limit the most rows to return; all when left out
   * @throws BadRequest, UnknownDataset, InputMissing when nothing is published for the date, StoreUnavailable
   */
  show(dataset: string, date: string, limit?: number): Promise<ShownResult>;

  /** The manifest alone, or nothing when nothing is published. */
  manifest(dataset: string, date: string): Promise<Manifest | undefined>;
}
