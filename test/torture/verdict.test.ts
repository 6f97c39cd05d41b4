import { describe, expect, test } from "vitest";
import { madeFrom } from "./content.ts";
import { createWitness, judge, type Live, type Partition, phaseOf, type Sight } from "./verdict.ts";

const date = "2026-01-01";
const [first, second, third] = [runOf(1, null), runOf(2, "m1"), runOf(3, "m2")];
const intents = [first, second];

describe("what a date holds", () => {
  test("is right when its history has every run that was told so", () => {
    const answers = [
      told(first, "published"),
      told(second, "published"),
      { ...told(runOf(0), "superseded"), manifest: "m2" },
    ];
    expect(judge(holding(second, first), intents, answers)).toEqual([]);
    expect(judge({ ...holding(), live: undefined, pointer: undefined }, [], [])).toEqual([]);
  });

  test.each<[string, Partition, string]>([
    ["no result", { ...holding(), live: undefined }, "lost"],
    ["an older result than it was given", holding(first), "lost"],
    ["a history with a gap", { ...holding(second, first), manifests: new Map([["m2", second.text]]) }, "lost"],
    ["a run that is in the history no more", holding(runOf(2, null)), "lost"],
    ["the bytes of one run and the metadata of another", withLive({ sha256: first.sha256 }), "mixed"],
    ["metadata that name the manifest of another run", withMetadata({ manifest: "m1" }), "mixed"],
    ["metadata with the sha256 of another run", withMetadata({ sha256: first.sha256 }), "mixed"],
    ["rows of another input", withLive({ madeFrom: "input-1" }), "mixed"],
    ["a manifest.json that is like no manifest", { ...holding(second, first), pointer: '{"half":' }, "mixed"],
    ["an older run that has replaced a newer one", holding(second, runOf(3), first), "backwards"],
    [
      "a run that has committed twice",
      holding(second, { ...second, key: "m2b", text: textOf(second, "m2b", "m1") }, first),
      "other",
    ],
    ["a manifest.json that was left behind", { ...holding(second, first), pointer: first.text }, "other"],
    ["no manifest.json", { ...holding(second, first), pointer: undefined }, "other"],
  ])("is wrong with %s", (_, partition, kind) => {
    const kinds = judge(partition, intents, [told(first, "published")]).map((fault) => fault.kind);
    expect(kinds).toContain(kind);
  });

  test.each([
    ["was told published with the manifest of another", { ...told(second, "published"), manifest: "m1" }, "mixed"],
    ["was told superseded and has committed", told(first, "superseded"), "other"],
    ["was told superseded by an older one", { ...told(third, "superseded"), manifest: "m2" }, "other"],
    ["was told unchanged though it was forced", told(second, "unchanged"), "other"],
  ])("is wrong when a run %s", (_, answer, kind) => {
    expect(judge(holding(second, first), intents, [answer]).map((fault) => fault.kind)).toEqual([kind]);
  });
});

describe("a reader", () => {
  test("may see results follow each other, and manifest.json after them", () => {
    expect(
      seeing(sight(undefined, undefined), sight(first, undefined), sight(second, first), sight(second, second)),
    ).toEqual([]);
  });

  test.each<[string, readonly Sight[], readonly string[]]>([
    ["disappear", [sight(first, first), sight(undefined, first)], ["lost", "mixed"]],
    ["lose its manifest.json", [sight(first, first), sight(first, undefined)], ["lost"]],
    ["go back", [sight(second, undefined), sight(first, undefined)], ["backwards"]],
    ["with a manifest.json that goes back", [sight(second, second), sight(second, first)], ["backwards"]],
    ["after its manifest.json", [sight(first, second)], ["mixed"]],
    [
      "with the manifest of another run",
      [{ ...sight(first, undefined), live: { ...liveOf(first), manifest: second.text } }],
      ["mixed"],
    ],
    [
      "without a manifest for its bytes",
      [{ ...sight(first, undefined), live: { ...liveOf(first), manifest: undefined } }],
      ["mixed"],
    ],
    [
      "with a manifest.json that is no copy",
      [{ ...sight(first, first), pointer: { text: first.text, immutable: undefined } }],
      ["mixed"],
    ],
  ])("never sees a result %s", (_, sights, kinds) => {
    expect([...new Set(seeing(...sights))].toSorted()).toEqual(kinds);
  });

  test("without metadata goes by the manifest that has the sha256 of the bytes", () => {
    const plain = (run: Run): Sight => ({ ...sight(run, undefined), live: { sha256: run.sha256, manifest: run.text } });
    expect(seeing(plain(first), plain(second))).toEqual([]);
    expect(seeing(plain(second), plain(first))).toEqual(["backwards"]);
  });
});

test("a kill is told by what the store shows of the run", () => {
  const recorded = { ...holding(first), manifests: new Map([first, second].map(({ key, text }) => [key, text])) };
  expect(phaseOf(holding(first), second.runId, 1)).toBe("nothing recorded");
  expect(phaseOf(recorded, second.runId, 1)).toBe("manifest recorded");
  expect(phaseOf({ ...holding(second, first), pointer: first.text }, second.runId, 1)).toBe("committed");
  expect(phaseOf(holding(second, first), second.runId, 1)).toBe("pointer moved");
  expect(phaseOf(holding(second, first), second.runId, 0)).toBe("all done");
});

test("bytes that are cut are no result", () => {
  expect(() => madeFrom(Buffer.from("PAR1"))).toThrow();
});

type Run = {
  readonly runId: string;
  readonly fence: string;
  readonly key: string;
  readonly sha256: string;
  readonly text: string;
};

function runOf(number: number, previous: string | null = null): Run {
  const run = { runId: `r${number}`, fence: `2026-01-01T00:00:0${number}.000Z`, sha256: `sha-${number}` };
  return { ...run, key: `m${number}`, text: textOf(run, `m${number}`, previous) };
}

function textOf({ runId, fence, sha256 }: Omit<Run, "key" | "text">, key: string, previous: string | null): string {
  const inputs = [{ sha256: `input-${runId.slice(1)}` }];
  return JSON.stringify({ runId, fence, key, previous, result: { sha256 }, inputs });
}

/** The newest first. The history is as they are listed, whatever they were told to replace. */
function holding(...runs: readonly Run[]): Partition {
  const relinked = runs.map((run, index) => ({ ...run, text: textOf(run, run.key, runs[index + 1]?.key ?? null) }));
  const [newest] = relinked;
  return {
    date,
    live: newest && liveOf(newest),
    pointer: newest?.text,
    manifests: new Map(relinked.map(({ key, text }) => [key, text])),
  };
}

function liveOf({ runId, fence, key, sha256 }: Run): Live & { metadata: Record<string, string> } {
  return { sha256, madeFrom: `input-${runId.slice(1)}`, metadata: { "run-id": runId, fence, sha256, manifest: key } };
}

function withLive(change: Partial<Live>): Partition {
  return { ...holding(second, first), live: { ...liveOf(second), ...change } };
}

function withMetadata(change: Record<string, string>): Partition {
  return withLive({ metadata: { ...liveOf(second).metadata, ...change } });
}

function told({ runId, fence, key }: Run, outcome: string) {
  return { runId, fence, outcome, manifest: key };
}

function sight(live: Run | undefined, pointer: Run | undefined): Sight {
  return {
    reader: "a reader",
    date,
    live: live && { ...liveOf(live), manifest: live.text },
    pointer: pointer && { text: pointer.text, immutable: pointer.text },
  };
}

function seeing(...sights: readonly Sight[]): readonly string[] {
  const witness = createWitness();
  return sights.flatMap((each) => witness(each)).map(({ kind }) => kind);
}
