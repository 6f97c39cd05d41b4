import { StoreUnavailable } from "../../domain/model/failure.ts";
import type { RunId } from "../../domain/value-object/run-id.ts";
import type { Amount, Swept } from "../dto/sweep-report.ts";
import { parseSweepRequest } from "../dto/sweep-request.ts";
import type { SweepUseCase } from "../ports/input/sweep-usecase.ts";
import type { LocalScratch } from "../ports/output/local-scratch.ts";
import type { RunOrchestrator } from "../ports/output/run-orchestrator.ts";
import type { Leftover, StagingArea } from "../ports/output/staging-area.ts";

export type SweepPorts = {
  readonly staging: StagingArea;
  readonly scratch: LocalScratch;
  readonly orchestrator: Pick<RunOrchestrator, "liveRuns">;
  readonly defaultHours: number;
};

const hourMs = 60 * 60_000;
/** Until then the orchestrator may not find a run that has just begun. */
const findableAfterMs = 60_000;
/** Longer than any one write, or reader's hold on an object. */
const longestWriteMs = 24 * hourMs;

export function createSweepInteractor({ staging, scratch, orchestrator, defaultHours }: SweepPorts): SweepUseCase {
  return {
    async sweep(request, { signal } = {}) {
      const { olderThanHours, dryRun, byAgeAlone } = parseSweepRequest(request, defaultHours);
      const now = await staging.now();
      const staged = await staging.staged(signal);
      const unfinished = await staging.unfinished(signal);
      const runIds = new Set([...staged, ...unfinished].flatMap(({ runId }) => runId ?? []));
      // Asked after the list: a run that begins later is not in it.
      const live = byAgeAlone ? new Set<RunId>() : await liveAmong([...runIds]);
      const limitMs = olderThanHours * hourMs;
      const isLive = ({ runId }: { readonly runId?: RunId }) => runId !== undefined && live.has(runId);
      const leastMs = ({ runId }: { readonly runId?: RunId }) => {
        if (byAgeAlone) return limitMs;
        return Math.max(limitMs, runId === undefined ? longestWriteMs : findableAfterMs);
      };
      return {
        olderThanHours,
        dryRun,
        staged: await clear(staged, { now, leastMs, isLive, dryRun, signal }),
        unfinished: await clear(unfinished, { now, leastMs, isLive, dryRun, signal }),
        scratch: await clearScratch(limitMs, dryRun, signal),
      };
    },

    sweepScratch: () => clearScratch(defaultHours * hourMs, false),
  };

  async function liveAmong(runIds: readonly RunId[]): Promise<ReadonlySet<RunId>> {
    try {
      return await orchestrator.liveRuns(runIds);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      throw new StoreUnavailable(`${error.message}; --without-temporal sweeps by age alone`, { cause: error });
    }
  }

  async function clearScratch(limitMs: number, dryRun: boolean, signal?: AbortSignal): Promise<Swept> {
    const now = await scratch.now();
    const isLive = ({ inUse }: { readonly inUse: boolean }) => inUse;
    return clear(await scratch.list(), { now, leastMs: () => limitMs, isLive, dryRun, signal });
  }
}

type Rules<T> = {
  readonly now: Date;
  readonly leastMs: (leftover: T) => number;
  readonly isLive: (leftover: T) => boolean;
  readonly dryRun: boolean;
  readonly signal: AbortSignal | undefined;
};

async function clear<T extends Leftover>(leftovers: readonly T[], rules: Rules<T>): Promise<Swept> {
  const { now, leastMs, isLive, dryRun, signal } = rules;
  const sorted: Record<keyof Swept, T[]> = { removed: [], live: [], young: [] };
  for (const leftover of leftovers) {
    const ageMs = Math.max(0, now.getTime() - leftover.modifiedAt.getTime());
    sorted[isLive(leftover) ? "live" : ageMs < leastMs(leftover) ? "young" : "removed"].push(leftover);
  }
  if (!dryRun) {
    for (const leftover of sorted.removed) {
      signal?.throwIfAborted();
      await leftover.remove(signal);
    }
  }
  return { removed: amountOf(sorted.removed), live: amountOf(sorted.live), young: amountOf(sorted.young) };
}

function amountOf(leftovers: readonly Leftover[]): Amount {
  const sizes = leftovers.map(({ sizeBytes }) => sizeBytes);
  const known = sizes.filter((size) => size !== null);
  const sizeBytes = known.length === sizes.length ? known.reduce((sum, size) => sum + size, 0) : null;
  return { count: leftovers.length, sizeBytes };
}
