import { isDeepStrictEqual } from "node:util";
import {
  type Commit,
  compare,
  factsOf,
  type History,
  type Intent,
  intentOf,
  type ManifestFacts,
  named,
  recordOf,
  type View,
  viewOf,
} from "./history.ts";

type Rule = (view: View) => readonly string[];

/** The promises of publication that a history breaks, a sentence for each time. */
export function checkHistory(history: History): readonly string[] {
  const view = viewOf(history);
  return rules.flatMap((rule) => rule(view));
}

const onlyRunsWrite: Rule = ({ stableKey, all, intents }) => [
  ...all("wrote")
    .filter(({ key, metadata }) => key === stableKey && !intents.has(metadata["run-id"] ?? ""))
    .map(({ metadata }) => `${stableKey} was written by ${metadata["run-id"] ?? "somebody"}, which is no run of it`),
  ...all("deleted")
    .filter(({ key }) => key === stableKey)
    .map(() => `${stableKey} was deleted`),
];

const fencesRise: Rule = ({ commits }) =>
  commits.flatMap((commit, index) => {
    const before = commits[index - 1];
    return before !== undefined && compare(commit, before) < 0
      ? [`${named(commit)} replaced ${named(before)}, which is newer`]
      : [];
  });

const commitsOnce: Rule = ({ commits }) =>
  commits
    .filter(({ runId }, index) => commits.findIndex((other) => other.runId === runId) !== index)
    .map(({ runId }) => `${runId} committed more than once`);

const namesItsManifest: Rule = (view) =>
  view.commits.flatMap((commit) => {
    const writes = view.all("wrote").filter(({ key }) => key === commit.manifest);
    const [record] = writes;
    if (record === undefined || record.at > commit.at) {
      return [`${commit.runId} committed before its manifest ${commit.manifest} existed`];
    }
    const manifest = factsOf(record.text);
    const wrong = disagreement(commit, manifest);
    return [
      ...(wrong === undefined ? [] : [`the commit of ${commit.runId} and its manifest disagree: ${wrong}`]),
      ...(writes.length > 1 ? [`the manifest ${commit.manifest} was written ${writes.length} times`] : []),
    ];
  });

const chainIsOrder: Rule = (view) =>
  view.commits.flatMap(({ runId, manifest }, index) => {
    const expected = view.commits[index - 1]?.manifest ?? null;
    const previous = recordOf(view, manifest)?.previous ?? null;
    return previous === expected ? [] : [`the manifest of ${runId} says that it replaced ${previous}, not ${expected}`];
  });

const missingFillsGaps: Rule = ({ commits, intents }) =>
  commits
    .slice(1)
    .filter(({ runId }) => intents.get(runId)?.mode === "missing")
    .map(({ runId }) => `${runId} of mode missing committed where something was published`);

const answersAreTrue: Rule = ({ commits, intents, all }) =>
  all("answered").flatMap(({ at, runId, outcome, manifest }) => {
    const intent = intents.get(runId);
    const mine = commits.find((commit) => commit.runId === runId);
    const answer = commits.find((commit) => commit.manifest === manifest && commit.at < at);
    if (intent === undefined) return [`${runId} got an answer and is no run of this history`];
    if (outcome === "published") {
      if (mine === undefined) return [`${runId} was told published and never committed`];
      return answer?.runId === runId ? [] : [`${runId} was told ${manifest}, which is not what it has committed`];
    }
    if (mine !== undefined) return [`${runId} was told ${outcome} and has committed`];
    if (answer === undefined) return [`${runId} was told ${outcome} because of ${manifest}, which was not committed`];
    if (outcome === "superseded") {
      return compare(intent, answer) < 0 ? [] : [`${runId} was superseded by ${named(answer)}, which is not newer`];
    }
    return intent.mode === "missing" ? [] : [`${runId} of mode ${intent.mode} was skipped`];
  });

const nobodyIsLeft: Rule = ({ all, intents, recoveredAt }) => {
  const answered = new Set(all("answered").map(({ runId }) => runId));
  return [
    ...all("failed").map(({ runId, error }) => `${runId} failed for good: ${error}`),
    ...[...intents.keys()]
      .filter((runId) => recoveredAt !== undefined && !answered.has(runId))
      .map((runId) => `${runId} never got an answer`),
  ];
};

const newestIsLive: Rule = ({ commits, intents, recoveredAt }) => {
  if (recoveredAt === undefined) return [];
  const entitled = [...intents.values()].filter(
    ({ runId, mode }) => mode !== "missing" || commits.some((commit) => commit.runId === runId),
  );
  const newest = entitled.toSorted(compare).at(-1);
  const live = commits.findLast(({ at }) => at < recoveredAt);
  if (live === undefined) return intents.size === 0 ? [] : ["nothing was published after all runs had recovered"];
  return newest === undefined || newest.runId === live.runId
    ? []
    : [`${named(live)} is live instead of ${named(newest)}`];
};

const pointerFollows: Rule = (view) => {
  const { commits, pointers, recoveredAt } = view;
  const broken: string[] = [];
  let furthest = -1;
  for (const { at, text } of pointers) {
    const manifest = factsOf(text);
    const place = commits.findIndex((commit) => commit.manifest === manifest?.key && commit.at < at);
    if (place < 0) broken.push(`manifest.json was set to ${manifest?.key ?? "something unreadable"} before its commit`);
    else if (!isDeepStrictEqual(manifest, recordOf(view, manifest?.key)))
      broken.push(`manifest.json is no copy of ${manifest?.key}`);
    if (place >= 0 && place < furthest) broken.push(`manifest.json went back to ${manifest?.key}`);
    furthest = Math.max(furthest, place);
  }
  if (recoveredAt !== undefined) {
    const live = commits.findLast(({ at }) => at < recoveredAt)?.manifest;
    const last = factsOf(pointers.findLast(({ at }) => at < recoveredAt)?.text)?.key;
    if (last !== live) broken.push(`manifest.json names ${last} after recovery, and ${live} is live`);
  }
  return broken;
};

const readersSeeOneResult: Rule = ({ commits, all }) => [
  ...all("saw-result").flatMap(({ at, reader, found }) => {
    if (found === undefined) return [];
    const { sha256, metadata } = found;
    const seen = { ...intentOf(metadata), sha256, metadata, manifest: metadata["manifest"] ?? "" };
    const wrong = disagreement(seen, factsOf(found.manifest));
    const known = commits.some((commit) => commit.at < at && commit.manifest === seen.manifest);
    return [
      ...(wrong === undefined ? [] : [`${reader} saw a mix: ${wrong}`]),
      ...(known ? [] : [`${reader} saw the result of ${seen.runId}, which had not committed`]),
    ];
  }),
  ...all("saw-published").flatMap(({ at, reader, found }) =>
    found === undefined || commits.some((commit) => commit.at < at && commit.manifest === found.key)
      ? []
      : [`${reader} saw the manifest ${found.key}, which had not been committed`],
  ),
];

const readersNeverGoBack: Rule = ({ all }) => {
  const results = [
    ...all("saw-result").map(({ at, reader, found }) => ({ at, reader, seen: found && intentOf(found.metadata) })),
    ...all("saw-published").map(({ at, reader, found }) => ({ at, reader, seen: found })),
  ].toSorted((one, other) => one.at - other.at);
  const pointers = all("saw-pointer").map(({ reader, found }) => ({ reader, seen: factsOf(found) }));
  return [...goingBack(results, "the result"), ...goingBack(pointers, "manifest.json")];
};

const searchesFind: Rule = ({ commits, all }) =>
  all("searched").flatMap(({ at, reader, runId, found }) => {
    const began = all("searching").findLast((search) => search.at < at && search.reader === reader)?.at ?? 0;
    const mine = commits.find((commit) => commit.runId === runId);
    if (found === undefined) {
      return mine !== undefined && mine.at < began ? [`${reader} did not find ${runId} in the history`] : [];
    }
    return commits.some((commit) => commit.runId === runId && commit.manifest === found && commit.at < at)
      ? []
      : [`${reader} found ${found} in the history, which ${runId} had not committed`];
  });

const rules: readonly Rule[] = [
  onlyRunsWrite,
  fencesRise,
  commitsOnce,
  namesItsManifest,
  chainIsOrder,
  missingFillsGaps,
  answersAreTrue,
  nobodyIsLeft,
  newestIsLive,
  pointerFollows,
  readersSeeOneResult,
  readersNeverGoBack,
  searchesFind,
];

function goingBack(
  sights: readonly { readonly reader: string; readonly seen: Intent | undefined }[],
  what: string,
): readonly string[] {
  const newest = new Map<string, Intent>();
  return sights.flatMap(({ reader, seen }) => {
    const before = newest.get(reader);
    if (before !== undefined && (seen === undefined || compare(seen, before) < 0)) {
      return [`${reader} saw ${what} go back from ${named(before)} to ${seen === undefined ? "nothing" : named(seen)}`];
    }
    if (seen !== undefined) newest.set(reader, seen);
    return [];
  });
}

/** Where bytes, metadata and manifest of one result do not tell the same. */
function disagreement(
  { runId, fence, sha256, metadata, manifest: key }: Omit<Commit, "at">,
  manifest: ManifestFacts | undefined,
): string | undefined {
  if (manifest === undefined) return `${key} is no manifest`;
  const pairs = [
    ["the sha256 of the metadata", metadata["sha256"], sha256],
    ["the sha256 of the manifest", manifest.result.sha256, sha256],
    ["the run", manifest.runId, runId],
    ["the fence", manifest.fence, fence],
    ["the key of the manifest", manifest.key, key],
  ];
  const [what, said, is] = pairs.find(([, one, other]) => one !== other) ?? [];
  return what === undefined ? undefined : `${what} is ${said} where ${is} was expected`;
}
