import type { HistoryReport } from "../../dto/history-report.ts";

/** Every result that was ever published for a date. */
export interface HistoryUseCase {
  /**
   * The newest first.
   * @param limit the most results to tell of. Default: 50
   * @throws BadRequest, UnknownDataset, InputMissing when nothing is published for the date, StoreUnavailable, StoreUnsafe
   */
  history(dataset: string, date: string, limit?: number): Promise<HistoryReport>;
}
