import type { Manifest } from "../../domain/model/analysis-result.ts";
import { BadRequest, InputMissing } from "../../domain/model/failure.ts";
import { parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { compareInputs } from "../../domain/value-object/fingerprint.ts";
import { parseTargetDate } from "../../domain/value-object/target-date.ts";
import type { PastResult } from "../dto/history-report.ts";
import type { HistoryUseCase } from "../ports/input/history-usecase.ts";
import type { DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { ResultRepository } from "../ports/output/result-repository.ts";

const mostResults = 10_000;

export function createHistoryInteractor(
  catalog: DatasetCatalog,
  repository: Pick<ResultRepository, "history">,
): HistoryUseCase {
  return {
    async history(dataset, date, limit = 50) {
      const { id } = catalog.get(parseDatasetId(dataset));
      const parsedDate = parseTargetDate(date);
      if (!Number.isInteger(limit) || limit < 1 || limit > mostResults) {
        throw new BadRequest(`limit must be a number of results from 1 to ${mostResults}, got ${limit}`);
      }
      const manifests: Manifest[] = [];
      for await (const manifest of repository.history(id, parsedDate)) {
        // One beyond the limit, to compare the last one with.
        if (manifests.push(manifest) > limit) break;
      }
      if (manifests.length === 0) throw new InputMissing(`nothing is published for ${dataset} ${date}: run it first`);
      const results = manifests
        .slice(0, limit)
        .map((manifest, index) => pastResult(manifest, manifests[index + 1], index));
      return { dataset: id, date: parsedDate, results, more: manifests.length > limit };
    },
  };
}

function pastResult(manifest: Manifest, replaced: Manifest | undefined, index: number): PastResult {
  const { publishedAt, runId, fence, result, definitionDigest, inputs, key } = manifest;
  return {
    outcome: index === 0 ? "live" : "replaced",
    publishedAt,
    runId,
    fence,
    rows: result.rows,
    sizeBytes: result.sizeBytes,
    definitionDigest,
    definition: replaced === undefined ? null : replaced.definitionDigest === definitionDigest ? "same" : "different",
    inputs: replaced === undefined ? null : compareInputs(inputs, replaced.inputs),
    manifest: key,
  };
}
