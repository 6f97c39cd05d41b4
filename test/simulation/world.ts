import { StoreUnavailable } from "../../src/domain/model/failure.ts";
import { parseDatasetId } from "../../src/domain/value-object/dataset-id.ts";
import type { RunId } from "../../src/domain/value-object/run-id.ts";
import type { TargetDate } from "../../src/domain/value-object/target-date.ts";
import { type Place, publish } from "../../src/infrastructure/repository/publication.ts";
import { createResultLayout, stagingOf } from "../../src/infrastructure/repository/result-layout.ts";
import type { ObjectStore } from "../../src/infrastructure/store/object-store.ts";
import type { ManifestDraft } from "../../src/usecase/ports/output/result-repository.ts";
import { createMemoryObjectStore } from "../fakes/memory-object-store.ts";
import { checkHistory } from "./checker.ts";
import { createFaultyStore, type Fault, type Operation, type Process } from "./faulty-store.ts";
import type { HistoryEvent } from "./history.ts";
import { createRandom } from "./random.ts";
import { read, sha256Of } from "./reader.ts";
import { type Reader, type Run, type Scenario, startedAt } from "./scenario.ts";
import { createScheduler } from "./scheduler.ts";

type StepTaken = {
  readonly type: "step";
  readonly operation: Operation;
  readonly fault?: Fault | undefined;
  readonly answer: unknown;
};

/** What happened, and on behalf of whom: a reader, or an attempt of a run such as `run-3/2`. */
export type LogEntry = {
  readonly ms: number;
  readonly actor: string;
  readonly date: TargetDate;
  readonly event: HistoryEvent | StepTaken;
};

export type Outcome = { readonly log: readonly LogEntry[]; readonly violations: readonly string[] };

type Actor = Pick<LogEntry, "actor" | "date">;
type Ending = "answered" | "failed" | "crashed" | "given up";
type Staged = { readonly key: string; readonly text: string };

const dataset = parseDatasetId("sales");
const layout = createResultLayout("{dataset}/{date}/result.parquet", [dataset]);
/** How often an orchestrator tries while there are faults. One more try without them follows. */
const faultyAttempts = 4;

/** Lets runs and readers meet in one store until all of them are done, and checks what they did. */
export async function simulate(scenario: Scenario): Promise<Outcome> {
  const { runs, readers, broken } = scenario;
  const random = createRandom(scenario.seed);
  const scheduler = createScheduler(random);
  const now = () => new Date(startedAt + scheduler.now());
  const memory = createMemoryObjectStore(now);
  const dates = [...new Set(runs.map(({ date }) => date))];
  const staged = new Map<RunId, Staged>();
  const log: LogEntry[] = [];
  const settled = Promise.withResolvers<void>();
  let unsettled = runs.length;

  for (const { runId, fence, mode, date } of runs) {
    note({ actor: runId, date }, { type: "intended", runId, fence, mode });
  }
  for (const run of runs) void orchestrate(run);
  for (const reader of readers) void watch(reader, reader.looks);
  await scheduler.run();

  for (const date of dates) note({ actor: "everybody", date }, { type: "recovered" });
  for (const run of runs) void attempt(run, faultyAttempts + run.asksAgain + 2, "calm");
  for (const reader of readers) void watch(reader, 4);
  await scheduler.run();
  return { log, violations: dates.flatMap((date) => checkHistory(historyOf(date))) };

  async function orchestrate(run: Run): Promise<void> {
    await scheduler.step(run.startMs);
    let ending: Ending = "failed";
    let count = 0;
    while (ending !== "answered" && count < faultyAttempts) {
      count += 1;
      ending = await attempt(run, count);
      await scheduler.step(random.below(100));
    }
    for (let again = 0; again < run.asksAgain; again += 1) {
      count += 1;
      await scheduler.step(random.below(400));
      await attempt(run, count);
    }
    unsettled -= 1;
    if (unsettled === 0) settled.resolve();
    await settled.promise;
    if (ending !== "answered") await attempt(run, count + 1, "calm");
  }

  /** One try to save. It goes on when whoever waited for it has given it up. */
  function attempt(run: Run, number: number, weather: "rough" | "calm" = "rough"): Promise<Ending> {
    const actor = { actor: `${run.runId}/${number}`, date: run.date };
    let count = 0;
    return new Promise((resolve) => {
      const store = createFaultyStore(recorded(actor), {
        ...processOf(actor),
        faultAt(operation) {
          count += 1;
          if (weather === "calm" || unsettled === 0) return undefined;
          return scenario.faultAt({ runId: run.runId, attempt: number, count }, operation, random);
        },
        crash: () => resolve("crashed"),
        abandon: () => resolve("given up"),
      });
      save(run, actor, store).then(
        () => resolve("answered"),
        (error: unknown) => {
          if (weather === "calm" || !(error instanceof StoreUnavailable)) {
            note(actor, { type: "failed", runId: run.runId, error: String(error) });
          }
          resolve("failed");
        },
      );
    });
  }

  async function save(run: Run, actor: Actor, store: ObjectStore): Promise<void> {
    const result = await stage(run, actor, store);
    const { outcome, manifest } = await publish(placeOf(store), draftOf(run, result), run.mode, "refused");
    note(actor, { type: "answered", runId: run.runId, outcome, manifest: manifest.key });
    for await (const { key } of store.list(stagingOf(run.runId))) await store.delete(key);
  }

  /** Bytes of this attempt, or those of one before it, which may have been discarded meanwhile. */
  async function stage({ runId }: Run, { actor }: Actor, store: ObjectStore): Promise<Staged> {
    const kept = staged.get(runId);
    if (kept !== undefined && random.chance(0.5)) return kept;
    // Two calculations of one run may differ in the last digit of a float.
    const text = broken === "same-bytes" ? "rows" : `rows of ${runId}, ${random.next()}`;
    const fresh = { key: `${stagingOf(runId)}${actor.replace("/", "-")}/result.parquet`, text };
    await store.put(fresh.key, { text });
    staged.set(runId, fresh);
    return fresh;
  }

  async function watch({ name, date }: Reader, looks: number): Promise<void> {
    const actor = { actor: name, date };
    const faulty = createFaultyStore(memory, {
      ...processOf(actor),
      faultAt: () => (unsettled > 0 && random.chance(0.05) ? random.pick(["reset", "held back"]) : undefined),
    });
    const runIds = runs.filter((run) => run.date === date).map(({ runId }) => runId);
    const world = { store: memory, faulty, layout, dataset, date, runIds, random, step: scheduler.step };
    await read({ ...world, note: (event) => note(actor, event) }, name, looks);
  }

  function processOf(actor: Actor): Process {
    return {
      faultAt: () => undefined,
      step: scheduler.step,
      // Mostly a little late, at times after everybody else is done.
      longMs: () => Math.round(10 ** (1 + random.next() * 4)),
      crash: () => {},
      abandon: () => {},
      tell: (operation, fault, answer) => note(actor, { type: "step", operation, fault, answer }),
    };
  }

  /** The store itself, where what is done to it is seen. */
  function recorded(actor: Actor): ObjectStore {
    return {
      ...memory,
      async put(key, body, options = {}) {
        const written = await memory.put(key, body, options);
        if (written && !key.startsWith("_staging/")) {
          const text = (await memory.text(key)) ?? "";
          const { metadata = {} } = options;
          note(actor, { type: "wrote", key, sha256: sha256Of(text), metadata, ...(key.endsWith(".json") && { text }) });
        }
        return written;
      },
      async delete(key) {
        await memory.delete(key);
        note(actor, { type: "deleted", key });
      },
    };
  }

  function placeOf(store: ObjectStore): Place {
    return {
      store: broken === "no-fence" ? withoutFences(store) : store,
      layout,
      pause: (tries) => scheduler.step(random.below(20 * tries)),
      now,
    };
  }

  function note(actor: Actor, event: LogEntry["event"]): void {
    log.push({ ms: scheduler.now(), ...actor, event });
  }

  function historyOf(date: TargetDate) {
    const events = log.flatMap(({ date: of, event }) => {
      if (event.type === "step") return [];
      return of === date || event.type === "wrote" || event.type === "deleted" ? [event] : [];
    });
    return { stableKey: layout.result(dataset, date), pointerKey: layout.manifest(dataset, date), events };
  }
}

/** What is published looks older than any run. */
function withoutFences(store: ObjectStore): ObjectStore {
  return {
    ...store,
    async head(key) {
      const seen = await store.head(key);
      if (seen?.metadata["fence"] === undefined) return seen;
      return { ...seen, metadata: { ...seen.metadata, fence: "1970-01-01T00:00:00.000Z" } };
    },
  };
}

function draftOf({ runId, fence, date }: Run, { key, text }: Staged): ManifestDraft {
  const step = { ms: 1, peakMemoryBytes: 1 };
  return {
    dataset,
    date,
    runId,
    fence,
    definitionDigest: "d".repeat(64),
    inputs: [{ uri: "file:day.csv", location: "file:day.csv", sizeBytes: 1, sha256: "a".repeat(64), fetchedAt: fence }],
    rowsRead: 1,
    notes: [],
    result: { stagedKey: key, rows: 1, sizeBytes: text.length, sha256: sha256Of(text), columns: [] },
    checks: [],
    engine: { service: "0", polars: "0", node: "0" },
    steps: { inspect: step, load: step, analyze: step },
  };
}
