import type { Manifest, StagedResult, StepFacts } from "../../domain/model/analysis-result.ts";
import { computeDefaults } from "../../domain/model/dataset-definition.ts";
import { AnalysisFailure, ChecksFailed, InputChanged } from "../../domain/model/failure.ts";
import { changeOf } from "../../domain/service/change-service.ts";
import { isOlder } from "../../domain/value-object/fence.ts";
import type { InspectedInput } from "../../domain/value-object/fingerprint.ts";
import { type ParsedRun, parseRunAnalysisInput } from "../dto/run-analysis-input.ts";
import type { RunAnalysisOutput, RunOutcome } from "../dto/run-analysis-output.ts";
import type { RunLimits } from "../dto/run-steps.ts";
import { loadRequestOf } from "../load-request.ts";
import type { RunAnalysisUseCase } from "../ports/input/run-analysis-usecase.ts";
import type { AnalysisOrder, Analyzer } from "../ports/output/analyzer.ts";
import type { CatalogEntry, DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { DatasetLoader } from "../ports/output/dataset-loader.ts";
import type { Foreign, ManifestDraft, ResultRepository } from "../ports/output/result-repository.ts";

export type RunAnalysisPorts = {
  readonly catalog: DatasetCatalog;
  readonly loader: DatasetLoader;
  readonly analyzer: Analyzer;
  readonly repository: ResultRepository;
  readonly engine: Manifest["engine"];
  readonly heartbeatTimeoutMs: number;
  /** The most that this process has held so far. */
  readonly peakMemoryBytes: () => number;
};

export function createRunAnalysisInteractor(ports: RunAnalysisPorts): RunAnalysisUseCase {
  const { catalog, loader, analyzer, repository, engine } = ports;

  const useCase: RunAnalysisUseCase = {
    async inspect(input, control) {
      const started = performance.now();
      const run = parseRunAnalysisInput(input);
      const entry = catalog.get(run.dataset);
      const published = await findPublished(run);
      const settled = published === undefined ? undefined : await settle(run, published);
      if (published !== undefined && settled !== undefined) {
        await repository.complete(published);
        await repository.discardStaged(run.runId);
        return { kind: "done", output: settled };
      }
      const inputs = await loader.inspect(
        loadRequestOf(entry, run.date, run.runId),
        published?.inputs ?? [],
        control?.signal,
      );
      if (isUnchanged(run, entry, published, inputs)) {
        await repository.complete(published);
        return { kind: "done", output: outputOf("unchanged", published) };
      }
      return { kind: "inspected", inputs, limits: limitsOf(entry), steps: { inspect: since(started) } };
    },

    async load(input, inspected, control) {
      const started = performance.now();
      const run = parseRunAnalysisInput(input);
      const entry = catalog.get(run.dataset);
      const inputs = await loader.load(loadRequestOf(entry, run.date, run.runId), inspected.inputs, control?.signal);
      const published = await findPublished(run);
      if (isUnchanged(run, entry, published, inputs)) {
        await repository.complete(published);
        await repository.discardStaged(run.runId);
        return { kind: "done", output: outputOf("unchanged", published) };
      }
      return { kind: "loaded", inputs, steps: { ...inspected.steps, load: since(started) } };
    },

    async analyze(input, { inputs, steps }, control) {
      const started = performance.now();
      const run = parseRunAnalysisInput(input);
      const entry = catalog.get(run.dataset);
      const staged = await analyzePinned({ run, entry, inputs }, control?.signal);
      const failed = staged.checks.filter((check) => !check.passed);
      if (failed.length > 0) {
        const reasons = failed.map((check) => `${check.name}: ${check.observed}, expected ${check.expected}`);
        throw new ChecksFailed(
          `${run.dataset} ${run.date} failed its checks: ${reasons.join("; ")}. The refused result is kept at ${staged.stagedKey}`,
          {
            details: { checks: failed, stagedKey: staged.stagedKey },
          },
        );
      }
      const { ms } = since(started);
      return { inputs, staged, steps: { ...steps, analyze: { ms, peakMemoryBytes: staged.peakMemoryBytes } } };
    },

    async save(input, analyzed) {
      const run = parseRunAnalysisInput(input);
      const { staged, inputs, steps } = analyzed;
      const draft: ManifestDraft = {
        dataset: run.dataset,
        date: run.date,
        runId: run.runId,
        fence: run.fence,
        definitionDigest: staged.definitionDigest,
        inputs,
        rowsRead: staged.rowsRead,
        notes: staged.notes,
        result: {
          stagedKey: staged.stagedKey,
          rows: staged.rows,
          sizeBytes: staged.sizeBytes,
          sha256: staged.sha256,
          columns: staged.columns,
        },
        checks: staged.checks,
        engine,
        steps,
      };
      const { outcome, manifest } = await repository.publish(draft, run.mode, foreignIn(run));
      await repository.discardStaged(run.runId);
      return outputOf(outcome, manifest);
    },

    async run(input, control) {
      control?.onStep?.("inspect");
      const inspected = await useCase.inspect(input, control);
      return inspected.kind === "done" ? inspected.output : useCase.goOn(input, inspected, control);
    },

    async goOn(input, inspected, control) {
      control?.onStep?.("load");
      const loaded = await useCase.load(input, inspected, control);
      if (loaded.kind === "done") return loaded.output;
      control?.onStep?.("analyze");
      const analyzed = await useCase.analyze(input, loaded, control);
      control?.onStep?.("save");
      return useCase.save(input, analyzed, control);
    },
  };
  return useCase;

  /** @throws InputChanged when the source changed meanwhile, whatever the engine made of that */
  async function analyzePinned(order: AnalysisOrder, signal: AbortSignal | undefined): Promise<StagedResult> {
    const staged = await analyzer.analyze(order, signal).catch(async (error: unknown) => {
      if (mayComeOfChange(error)) await loader.verify(order.inputs, signal).catch(throwIfChanged);
      throw error;
    });
    await loader.verify(order.inputs, signal);
    return staged;
  }

  function findPublished(run: ParsedRun): Promise<Manifest | undefined> {
    return repository.findPublished(run.dataset, run.date, foreignIn(run));
  }

  /** The answer that what is published gives by itself: this run has committed, a later one has, or anything will do. */
  async function settle(run: ParsedRun, published: Manifest): Promise<RunAnalysisOutput | undefined> {
    if (published.runId === run.runId) return outputOf("published", published);
    if (isOlder(run, published)) {
      const committed = await repository.findCommitted(run.dataset, run.date, run.runId);
      return committed === undefined ? outputOf("superseded", published) : outputOf("published", committed);
    }
    return run.mode === "missing" ? outputOf("skipped", published) : undefined;
  }

  function since(started: number): StepFacts {
    const ms = Math.round((performance.now() - started) * 10) / 10;
    return { ms, peakMemoryBytes: ports.peakMemoryBytes() };
  }

  function limitsOf({ definition }: CatalogEntry): RunLimits {
    return {
      timeLimitSeconds: definition.compute?.timeLimitSeconds ?? computeDefaults.timeLimitSeconds,
      heartbeatTimeoutMs: ports.heartbeatTimeoutMs,
    };
  }
}

function isUnchanged(
  run: ParsedRun,
  entry: CatalogEntry,
  published: Manifest | undefined,
  inputs: readonly InspectedInput[],
): published is Manifest {
  return run.mode === "changed" && changeOf(published, entry.digest, inputs) === "unchanged";
}

function outputOf(outcome: RunOutcome, manifest: Manifest): RunAnalysisOutput {
  return { dataset: manifest.dataset, date: manifest.date, outcome, rows: manifest.result.rows, manifest };
}

function foreignIn({ adopt }: ParsedRun): Foreign {
  return adopt ? "ignored" : "refused";
}

/** After a time-out there is no time left to look. */
function mayComeOfChange(error: unknown): boolean {
  return error instanceof AnalysisFailure && error.code !== "timed-out";
}

function throwIfChanged(error: unknown): void {
  if (error instanceof InputChanged) throw error;
}
