import { beforeEach, describe, expect, it } from "vitest";
import {
  BadRequest,
  ChecksFailed,
  Crashed,
  InputChanged,
  InputInvalid,
  InputMissing,
  SourceUnavailable,
  TimedOut,
  UnknownDataset,
} from "../../../src/domain/model/failure.ts";
import type { RunAnalysisInput } from "../../../src/usecase/dto/run-analysis-input.ts";
import { createRunAnalysisInteractor } from "../../../src/usecase/interactor/run-analysis-interactor.ts";
import type { RunAnalysisUseCase } from "../../../src/usecase/ports/input/run-analysis-usecase.ts";
import { createWorld, fakePorts, type World } from "../../fakes/ports.ts";

let world: World;
let useCase: RunAnalysisUseCase;
beforeEach(() => {
  world = createWorld();
  useCase = createRunAnalysisInteractor(fakePorts(world));
});

const input = (runId: string, hour: number, changes: Partial<RunAnalysisInput> = {}): RunAnalysisInput => ({
  dataset: "sales",
  date: "2026-02-05",
  runId,
  fence: `2026-02-06T${String(hour).padStart(2, "0")}:00:00.000Z`,
  ...changes,
});
const calculations = () => world.calls.filter((call) => call === "analyzer.analyze").length;

describe("a run", () => {
  it("looks, pins, calculates, proves the input and publishes, in this order", async () => {
    const steps: string[] = [];
    const output = await useCase.run(input("r1", 6), { onStep: (step) => steps.push(step) });
    expect(output).toMatchObject({ dataset: "sales", date: "2026-02-05", outcome: "published", rows: 1 });
    expect(output.manifest.runId).toBe("r1");
    expect(steps).toEqual(["inspect", "load", "analyze", "save"]);
    expect(world.calls).toEqual([
      "loader.inspect",
      "loader.load",
      "analyzer.analyze",
      "loader.verify",
      "repository.publish",
    ]);
    expect([...world.staged]).toEqual([]);
  });

  it("finds nothing to do when input and definition are those of the published result", async () => {
    const first = await useCase.run(input("r1", 6));
    const second = await useCase.run(input("r2", 7));
    expect(second).toEqual({ ...first, outcome: "unchanged" });
    expect([calculations(), world.history.length]).toEqual([1, 1]);
  });

  it("finds out only after loading where a look does not tell the content", async () => {
    world.strongLook = false;
    await useCase.run(input("r1", 6));
    expect((await useCase.run(input("r2", 7))).outcome).toBe("unchanged");
    expect(world.calls.filter((call) => call === "loader.load")).toHaveLength(2);
    expect(calculations()).toBe(1);
  });

  it.each([
    ["the input", { content: "c2" }],
    ["the definition", { digest: "d2" }],
  ])("runs again when %s has changed", async (_, change) => {
    await useCase.run(input("r1", 6));
    Object.assign(world, change);
    const second = await useCase.run(input("r2", 7));
    expect([second.outcome, second.manifest.previous]).toEqual(["published", "m-r1"]);
  });

  it("runs again in mode `force`, and in mode `missing` only where nothing is published", async () => {
    expect((await useCase.run(input("r1", 6, { mode: "missing" }))).outcome).toBe("published");
    expect((await useCase.run(input("r2", 7, { mode: "missing" }))).outcome).toBe("skipped");
    expect((await useCase.run(input("r3", 8, { mode: "force" }))).outcome).toBe("published");
    expect(calculations()).toBe(2);
  });

  it("answers a second time as the first under one run id, even when it was replaced since", async () => {
    const first = await useCase.run(input("r1", 6));
    expect(await useCase.run(input("r1", 6))).toEqual(first);
    world.content = "c2";
    await useCase.run(input("r2", 7));
    expect(await useCase.run(input("r1", 6))).toEqual(first);
    expect(calculations()).toBe(2);
  });

  it("is superseded, without a calculation, when a later run has published", async () => {
    await useCase.run(input("r2", 7));
    world.content = "c2";
    const late = await useCase.run(input("r1", 6, { mode: "force" }));
    expect([late.outcome, late.manifest.runId, calculations()]).toEqual(["superseded", "r2", 1]);
  });

  it("is superseded at the end, when a later run publishes while it calculates", async () => {
    const inspected = await useCase.inspect(input("r1", 6));
    if (inspected.kind !== "inspected") throw new Error("expected something to do");
    const loaded = await useCase.load(input("r1", 6), inspected);
    if (loaded.kind !== "loaded") throw new Error("expected something to do");
    const analyzed = await useCase.analyze(input("r1", 6), loaded);
    await useCase.run(input("r2", 7));
    expect((await useCase.save(input("r1", 6), analyzed)).outcome).toBe("superseded");
    expect(world.history.map(({ runId }) => runId)).toEqual(["r2"]);
  });

  it("keeps what is published, and what was refused, when the audit says no", async () => {
    const first = await useCase.run(input("r1", 6));
    Object.assign(world, { content: "c2", checksPass: false });
    const failure = await useCase.run(input("r2", 7)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ChecksFailed);
    expect(String(failure)).toMatch(/sales 2026-02-05 failed its checks: rows: 1, expected 2.*_staging\/r2/);
    expect(world.history).toEqual([first.manifest]);
    expect([...world.staged]).toEqual(["_staging/r2/result.parquet"]);
  });

  it("fails before anything is looked at when the request is wrong", async () => {
    for (const wrong of [
      { date: "2026-02-30" },
      { dataset: "../x" },
      { mode: "often" },
      { runId: "" },
      { fence: "soon" },
    ]) {
      await expect(useCase.run(input("r1", 6, wrong))).rejects.toThrow(BadRequest);
    }
    await expect(useCase.run(input("r1", 6, { dataset: "unknown" }))).rejects.toThrow(UnknownDataset);
    expect(world.calls).toEqual([]);
  });

  it("says that the source has nothing for the date", async () => {
    world.content = undefined;
    await expect(useCase.run(input("r1", 6))).rejects.toThrow(InputMissing);
  });

  it("tells the definition's limits with the look", async () => {
    expect(await useCase.inspect(input("r1", 6))).toMatchObject({
      kind: "inspected",
      limits: { timeLimitSeconds: 60, heartbeatTimeoutMs: 1_000 },
    });
  });
});

describe("a calculation that fails", () => {
  const run = (failure: Error, verify: () => Promise<void>) => {
    const ports = fakePorts(world);
    const failing = createRunAnalysisInteractor({
      ...ports,
      analyzer: { analyze: () => Promise.reject(failure) },
      loader: { ...ports.loader, verify },
    });
    return failing.run(input("r1", 6));
  };
  const failures = [new Crashed("SIGABRT"), new InputInvalid("no footer"), new SourceUnavailable("404")];

  it.each(failures)(
    "is a changed input where the source has changed, whatever the engine says: $code",
    async (failure) => {
      const changed = new InputChanged("replaced");
      await expect(run(failure, () => Promise.reject(changed))).rejects.toBe(changed);
    },
  );

  it.each(failures)("is what it is where the source is the same or cannot be asked: $code", async (failure) => {
    await expect(run(failure, async () => {})).rejects.toBe(failure);
    await expect(run(failure, () => Promise.reject(new SourceUnavailable("away")))).rejects.toBe(failure);
  });

  it("takes no time to look again after a time-out or a stop", async () => {
    const verify = () => Promise.reject(new InputChanged("replaced"));
    const late = new TimedOut("late");
    await expect(run(late, verify)).rejects.toBe(late);
    const reason = new Error("cancelled");
    await expect(run(reason, verify)).rejects.toBe(reason);
  });
});
