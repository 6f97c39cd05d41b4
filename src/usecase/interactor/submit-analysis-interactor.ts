import { parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { parseTargetDate } from "../../domain/value-object/target-date.ts";
import { parseRunAnalysisRequest } from "../dto/run-analysis-input.ts";
import type { SubmitAnalysisUseCase } from "../ports/input/submit-analysis-usecase.ts";
import type { DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { RunOrchestrator } from "../ports/output/run-orchestrator.ts";

export function createSubmitAnalysisInteractor(
  catalog: DatasetCatalog,
  orchestrator: RunOrchestrator,
): SubmitAnalysisUseCase {
  return {
    async submit(request) {
      const parsed = parseRunAnalysisRequest(request);
      catalog.get(parsed.dataset);
      const started = await orchestrator.start(parsed);
      return { dataset: parsed.dataset, date: parsed.date, ...started };
    },
    wait: (run) => orchestrator.result(run),
    async describe(dataset, date) {
      const { id } = catalog.get(parseDatasetId(dataset));
      return orchestrator.describe(id, parseTargetDate(date));
    },
  };
}
