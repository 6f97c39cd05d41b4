import { expect, it } from "vitest";
import { checkHistory } from "./checker.ts";
import type { HistoryEvent, ManifestFacts } from "./history.ts";

const stableKey = "sales/2026-02-05/result.parquet";
const pointerKey = "sales/2026-02-05/manifest.json";

const a = manifestOf("run-a", 1, null);
const b = manifestOf("run-b", 2, a.key);
const events: readonly HistoryEvent[] = [
  intended("run-a", 1),
  intended("run-b", 2),
  intended("run-c", 0),
  { ...intended("run-d", 3), mode: "missing" },
  { type: "saw-result", reader: "reader" },
  recorded(a),
  committed(a),
  pointed(a),
  { type: "searching", reader: "reader", runId: "run-a" },
  answered("run-a", "published", a),
  { type: "searched", reader: "reader", runId: "run-a", found: a.key },
  sight(a),
  { type: "saw-pointer", reader: "reader", found: JSON.stringify(a) },
  recorded(b),
  committed(b),
  { type: "saw-published", reader: "reader", found: b },
  pointed(b),
  answered("run-b", "published", b),
  answered("run-c", "superseded", b),
  answered("run-d", "skipped", b),
  { type: "recovered" },
];

it("has nothing to say of a history in which all promises are kept", () => {
  expect(check(events)).toEqual([]);
  expect(check([])).toEqual([]);
});

const c = manifestOf("run-c", 0, b.key);
const d = manifestOf("run-d", 3, b.key);
const again = { ...manifestOf("run-a", 1, b.key), key: "again" };
const other = { ...b, result: { sha256: "other" } };

it.each<[string, readonly HistoryEvent[], RegExp]>([
  ["somebody else writes", [...events, { ...committed(b), metadata: {} }], /written by somebody/],
  ["somebody deletes", [...events, { type: "deleted", key: stableKey }], /was deleted/],
  ["an older run replaces a newer one", [...events, recorded(c), committed(c)], /run-c .* replaced run-b .* is newer/],
  ["a run commits twice", [...events, recorded(again), committed(again)], /run-a committed more than once/],
  ["a commit comes before its manifest", swapped(recorded(b), committed(b)), /run-b committed before its manifest/],
  [
    "a manifest is of other bytes",
    replaced(recorded(b), recorded(other)),
    /run-b and its manifest disagree: the sha256/,
  ],
  [
    "metadata are of other bytes",
    replaced(committed(b), { ...committed(b), sha256: "x" }),
    /the sha256 of the metadata/,
  ],
  ["a manifest changes", [...events, recorded(b)], /was written 2 times/],
  [
    "a manifest has another predecessor",
    replaced(recorded(b), recorded({ ...b, previous: null })),
    /replaced null, not/,
  ],
  ["mode missing replaces", [...events, recorded(d), committed(d)], /run-d of mode missing committed where/],
  [
    "published is told and nothing committed",
    [...events, answered("run-c", "published", b)],
    /told published and never/,
  ],
  ["a run is told of another", [...events, answered("run-a", "published", b)], /run-a was told .* not what it has/],
  ["a committed run is told superseded", [...events, answered("run-a", "superseded", b)], /told superseded and has/],
  ["the reason of an answer never was", [...events, answered("run-c", "superseded", c)], /which was not committed/],
  ["an older run supersedes", [...events, answered("run-d", "superseded", b)], /which is not newer/],
  ["a run is skipped against its mode", [...events, answered("run-c", "skipped", b)], /of mode changed was skipped/],
  ["a stranger gets an answer", [...events, answered("run-x", "skipped", b)], /run-x got an answer and is no run/],
  ["a run fails for good", [...events, { type: "failed", runId: "run-c", error: "why" }], /run-c failed for good: why/],
  ["a run is left without an answer", without(answered("run-c", "superseded", b)), /run-c never got an answer/],
  ["the newest is not live", [intended("run-z", 9), ...events], /run-b .* is live instead of run-z/],
  ["nothing is published", [intended("run-z", 9), { type: "recovered" }], /nothing was published/],
  ["the pointer comes before the commit", swapped(committed(b), pointed(b)), /manifest.json was set to .* before/],
  ["the pointer is no manifest", [...events, { ...pointed(b), text: "{" }], /something unreadable/],
  ["the pointer tells something else", replaced(pointed(b), pointed(other)), /manifest.json is no copy/],
  ["the pointer goes back", [...events, pointed(a)], /manifest.json went back to/],
  ["the pointer stays behind", without(pointed(b)), /manifest.json names .*run-a.* after recovery/],
  ["a reader sees a mix", [...events, { ...sight(b, "x") }], /reader saw a mix: the sha256/],
  ["a reader sees what is not committed", [sight(a), ...events], /saw the result of run-a, which had not/],
  ["a reader is told too early", [{ type: "saw-published", reader: "r", found: b }, ...events], /r saw the manifest/],
  ["a reader goes back", [...events, sight(a)], /reader saw the result go back from run-b .* to run-a/],
  ["a reader goes back to nothing", [...events, { type: "saw-result", reader: "reader" }], /to nothing/],
  [
    "the pointer goes back for a reader",
    [...events, { type: "saw-pointer", reader: "reader" }],
    /saw manifest.json go back/,
  ],
  ["a search does not find", [...events, ...search("run-a")], /reader did not find run-a/],
  ["a search finds what is not there", [...events, ...search("run-c", b)], /found .* which run-c had not committed/],
])("finds it when %s", (_, bad, sentence) => {
  expect(check(bad)).toContainEqual(expect.stringMatching(sentence));
});

function check(history: readonly HistoryEvent[]) {
  return checkHistory({ stableKey, pointerKey, events: history });
}

function manifestOf(runId: string, fence: number, previous: string | null): ManifestFacts {
  const key = `sales/2026-02-05/_manifests/${fence}-${runId}.json`;
  return { runId, fence: String(fence), key, previous, result: { sha256: `bytes of ${runId}` } };
}

function intended(runId: string, fence: number): HistoryEvent & { type: "intended" } {
  return { type: "intended", runId, fence: String(fence), mode: "changed" };
}

function recorded(manifest: ManifestFacts): HistoryEvent & { type: "wrote" } {
  return { type: "wrote", key: manifest.key, sha256: "of the text", metadata: {}, text: JSON.stringify(manifest) };
}

function pointed(manifest: ManifestFacts): HistoryEvent & { type: "wrote" } {
  return { ...recorded(manifest), key: pointerKey };
}

function committed(manifest: ManifestFacts): HistoryEvent & { type: "wrote" } {
  const { sha256 } = manifest.result;
  return { type: "wrote", key: stableKey, sha256, metadata: metadataOf(manifest) };
}

function metadataOf({ runId, fence, key, result }: ManifestFacts) {
  return { "run-id": runId, fence, sha256: result.sha256, manifest: key };
}

function sight(manifest: ManifestFacts, sha256 = manifest.result.sha256): HistoryEvent {
  const found = { sha256, metadata: metadataOf(manifest), manifest: JSON.stringify(manifest) };
  return { type: "saw-result", reader: "reader", found };
}

function answered(
  runId: string,
  outcome: "published" | "superseded" | "skipped",
  manifest: ManifestFacts,
): HistoryEvent {
  return { type: "answered", runId, outcome, manifest: manifest.key };
}

function search(runId: string, found?: ManifestFacts): readonly HistoryEvent[] {
  return [
    { type: "searching", reader: "reader", runId },
    { type: "searched", reader: "reader", runId, ...(found && { found: found.key }) },
  ];
}

function replaced(event: HistoryEvent, by: HistoryEvent): readonly HistoryEvent[] {
  return events.map((each) => (same(each, event) ? by : each));
}

function swapped(one: HistoryEvent, other: HistoryEvent): readonly HistoryEvent[] {
  return events.map((each) => (same(each, one) ? other : same(each, other) ? one : each));
}

function without(event: HistoryEvent): readonly HistoryEvent[] {
  return events.filter((each) => !same(each, event));
}

function same(one: HistoryEvent, other: HistoryEvent): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
