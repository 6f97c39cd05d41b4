import { dailyDefaults } from "../../domain/model/dataset-definition.ts";
import { BadRequest, InputMissing } from "../../domain/model/failure.ts";
import { parseCron } from "../../domain/service/cron-service.ts";
import { datesBefore, nominalDate, skippedDates } from "../../domain/service/nominal-date-service.ts";
import { parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { compareInputs } from "../../domain/value-object/fingerprint.ts";
import { parseRunId } from "../../domain/value-object/run-id.ts";
import { parseTargetDate } from "../../domain/value-object/target-date.ts";
import { loadRequestOf } from "../load-request.ts";
import type { DailyAnalysisUseCase } from "../ports/input/daily-analysis-usecase.ts";
import type { DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { DatasetLoader } from "../ports/output/dataset-loader.ts";
import type { ResultRepository } from "../ports/output/result-repository.ts";
import type { RunOrchestrator } from "../ports/output/run-orchestrator.ts";

export type DailyAnalysisPorts = {
  readonly catalog: DatasetCatalog;
  readonly loader: Pick<DatasetLoader, "inspect">;
  readonly repository: Pick<ResultRepository, "findPublished">;
  readonly orchestrator: Pick<RunOrchestrator, "describe" | "result">;
};

export function createDailyAnalysisInteractor(ports: DailyAnalysisPorts): DailyAnalysisUseCase {
  const { catalog, loader, repository, orchestrator } = ports;
  return {
    async dates(request) {
      const { id, definition } = catalog.get(parseDatasetId(request?.dataset));
      const { schedule, timeZone, lagDays = dailyDefaults.lagDays, lateDays = dailyDefaults.lateDays } = definition;
      if (request.date !== undefined && request.date !== null) {
        const date = parseTargetDate(request.date);
        return { dataset: id, dueDates: [date], lateDates: datesBefore(date, timeZone, lateDays) };
      }
      const instant = parseInstant(request.nominalTime);
      const date = nominalDate(instant, timeZone, lagDays);
      const skipped = schedule === undefined ? [] : skippedDates(parseCron(schedule), instant, timeZone, lagDays);
      const lateDates = datesBefore(date, timeZone, lateDays).filter((late) => !skipped.includes(late));
      return { dataset: id, dueDates: [date, ...skipped], lateDates };
    },

    async inspectLate(request, { signal } = {}) {
      const entry = catalog.get(parseDatasetId(request.dataset));
      const date = parseTargetDate(request.date);
      const published = await repository.findPublished(entry.id, date);
      if (published === undefined) return "missing";
      if (published.definitionDigest !== entry.digest) return "definition-changed";
      try {
        const order = loadRequestOf(entry, date, parseRunId(request.runId));
        const inputs = await loader.inspect(order, published.inputs, signal);
        return compareInputs(inputs, published.inputs) === "same" ? "unchanged" : "changed";
      } catch (error) {
        if (error instanceof InputMissing) return "input-missing";
        throw error;
      }
    },

    async follow(request) {
      const run = await orchestrator.describe(parseDatasetId(request.dataset), parseTargetDate(request.date));
      if (run === undefined) return { status: "unknown" };
      const { status, runId, failure } = run;
      if (status === "running") return { status, runId };
      if (status === "completed") {
        const { outcome, rows } = await orchestrator.result(run);
        return { status, runId, outcome, rows };
      }
      return { status, runId, ...(failure ?? { code: "crashed", message: `the run was ${status}` }) };
    },
  };
}

function parseInstant(text: string): Date {
  const instant = new Date(text);
  if (Number.isNaN(instant.getTime())) {
    throw new BadRequest(
      `nominalTime must be an instant such as 2026-02-05T06:00:00.000Z, got ${JSON.stringify(text)}`,
    );
  }
  return instant;
}
