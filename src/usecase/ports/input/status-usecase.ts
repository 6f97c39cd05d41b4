import type { RebuildReport, StatusReport } from "../../dto/status-report.ts";
import type { StatusRequest } from "../../dto/status-request.ts";

/** What is there, what is missing, and whether today's date is. */
export interface StatusUseCase {
  /**
   * From the store, and from the orchestrator where it can be reached; where it cannot, the report says so.
   * @throws BadRequest, UnknownDataset, StoreUnavailable, StoreUnsafe
   */
  status(request: StatusRequest): Promise<StatusReport>;

  /** Makes the index of one dataset, or of all, anew from the manifests. @throws UnknownDataset, StoreUnavailable, StoreUnsafe */
  rebuild(dataset?: string): Promise<RebuildReport>;
}
