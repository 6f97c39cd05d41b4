import { isDeepStrictEqual } from "node:util";
import { compare, factsOf, type Intent, intentOf, type ManifestFacts, named } from "../simulation/history.ts";

/** `other` is what breaks a promise without harm to a reader of results, or a process that failed. */
export type FaultKind = "lost" | "mixed" | "backwards" | "other";
export type Fault = { readonly kind: FaultKind; readonly sentence: string };

/** The object at the stable key: bytes, what it says of itself, and the input that its rows are of. */
export type Live = {
  readonly sha256: string;
  /** Of the object, where the reader can see it. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Of the input. Absent where nobody has opened the bytes. */
  readonly madeFrom?: string;
};

/** All that the store has of one date, while nobody writes. */
export type Partition = {
  readonly date: string;
  readonly live: Live | undefined;
  /** The text of manifest.json. */
  readonly pointer: string | undefined;
  /** The texts of the immutable manifests, by key. */
  readonly manifests: ReadonlyMap<string, string>;
};

/** What a run was told. */
export type Answer = Intent & { readonly outcome: string; readonly manifest: string };

export const phases = ["nothing recorded", "manifest recorded", "committed", "pointer moved", "all done"] as const;
export type Phase = (typeof phases)[number];

/** How far a run had come, by what the store shows after its process was killed. */
export function phaseOf(partition: Partition, runId: string, staged: number): Phase {
  const committed = chainOf(partition).chain.find((manifest) => manifest.runId === runId);
  if (committed === undefined) {
    const recorded = [...partition.manifests.values()].some((text) => factsOf(text)?.runId === runId);
    return recorded ? "manifest recorded" : "nothing recorded";
  }
  const pointer = factsOf(partition.pointer);
  if (pointer === undefined || compare(pointer, committed) < 0) return "committed";
  return staged > 0 ? "pointer moved" : "all done";
}

/** What is wrong with a date after all of its runs have had their answers. All of them were forced. */
export function judge(partition: Partition, intents: readonly Intent[], answers: readonly Answer[]): readonly Fault[] {
  const { date, live, pointer, manifests } = partition;
  if (live === undefined) {
    return intents.length === 0 ? [] : [fault("lost", `${date} has no result after ${intents.length} runs`)];
  }
  const { chain, gap } = chainOf(partition);
  const [newest] = chain;
  const expected = intents.toSorted(compare).at(-1);
  return [
    ...(gap === undefined ? [] : [fault("lost", `the history of ${date} ends at ${gap}, which is not there`)]),
    ...disagreements(`the result of ${date}`, live, manifests.get(live.metadata?.["manifest"] ?? "")),
    ...(newest !== undefined && expected !== undefined && newest.runId !== expected.runId
      ? [fault("lost", `${date} has the result of ${named(newest)} instead of ${named(expected)}`)]
      : []),
    ...judgeOrder(date, chain),
    ...answers.flatMap((answer) => judgeAnswer(date, answer, chain)),
    ...judgePointer(date, pointer, newest, manifests),
  ];
}

/** With the text of the manifest that belongs to the bytes, if there is one. */
export type SeenLive = Live & { readonly manifest: string | undefined };

/** What one reader saw at one time. The pointer is read first: it may be behind the result, never ahead. */
export type Sight = {
  readonly reader: string;
  readonly date: string;
  readonly live: SeenLive | undefined;
  readonly pointer: { readonly text: string; readonly immutable: string | undefined } | undefined;
};

/** Remembers what each reader saw last, and tells what is wrong with what it sees now. */
export function createWitness(): (sight: Sight) => readonly Fault[] {
  const newest = new Map<string, Intent>();
  const goesOn = (who: string, what: string, seen: Intent | undefined): readonly Fault[] => {
    const before = newest.get(`${who} ${what}`);
    if (seen === undefined) {
      return before === undefined ? [] : [fault("lost", `${who} saw ${what} disappear after ${named(before)}`)];
    }
    if (before !== undefined && compare(seen, before) < 0) {
      return [fault("backwards", `${who} saw ${what} go back from ${named(before)} to ${named(seen)}`)];
    }
    newest.set(`${who} ${what}`, { runId: seen.runId, fence: seen.fence });
    return [];
  };
  return ({ reader, date, live, pointer }) => {
    const result = live && (live.metadata === undefined ? factsOf(live.manifest) : intentOf(live.metadata));
    const pointed = factsOf(pointer?.text);
    return [
      ...(live === undefined ? [] : disagreements(`what ${reader} saw of ${date}`, live, live.manifest)),
      // Bytes without a manifest that names them are told by the line above.
      ...(live !== undefined && result === undefined ? [] : goesOn(reader, `the result of ${date}`, result)),
      ...(pointer !== undefined && !isCopy(pointer.text, pointer.immutable)
        ? [fault("mixed", `${reader} saw a manifest.json of ${date} that is no copy of ${pointed?.key ?? "any"}`)]
        : []),
      ...goesOn(reader, `manifest.json of ${date}`, pointed),
      ...(pointed !== undefined && (result === undefined || compare(result, pointed) < 0)
        ? [fault("mixed", `${reader} saw manifest.json of ${date} at ${named(pointed)} before its result`)]
        : []),
    ];
  };
}

/** From what is live to the first result of the date. `gap` is a key that is named and not there. */
function chainOf({ live, manifests }: Partition): {
  readonly chain: readonly ManifestFacts[];
  readonly gap: string | undefined;
} {
  const chain: ManifestFacts[] = [];
  let key = live?.metadata?.["manifest"] ?? null;
  while (key !== null) {
    const manifest = factsOf(manifests.get(key));
    if (manifest === undefined || chain.length === manifests.size) return { chain, gap: key };
    chain.push(manifest);
    key = manifest.previous;
  }
  return { chain, gap: undefined };
}

function judgeOrder(date: string, chain: readonly ManifestFacts[]): readonly Fault[] {
  return chain.flatMap((manifest, index) => {
    const before = chain[index + 1];
    const again = chain.findIndex(({ runId }) => runId === manifest.runId) !== index;
    return [
      ...(again ? [fault("other", `${manifest.runId} is more than once in the history of ${date}`)] : []),
      ...(before !== undefined && compare(manifest, before) < 0
        ? [fault("backwards", `${named(manifest)} replaced ${named(before)} of ${date}, which is newer`)]
        : []),
    ];
  });
}

function judgeAnswer(date: string, answer: Answer, chain: readonly ManifestFacts[]): readonly Fault[] {
  const mine = chain.find(({ runId }) => runId === answer.runId);
  const named = chain.find(({ key }) => key === answer.manifest);
  const who = `${answer.runId} of ${date}`;
  switch (answer.outcome) {
    case "published":
      if (mine === undefined) return [fault("lost", `${who} was told published and is not in the history`)];
      return mine === named ? [] : [fault("mixed", `${who} was told ${answer.manifest} and has committed ${mine.key}`)];
    case "superseded":
      if (mine !== undefined) return [fault("other", `${who} was told superseded and is in the history`)];
      return named !== undefined && compare(answer, named) < 0
        ? []
        : [fault("other", `${who} was told superseded by ${answer.manifest}, which is not newer`)];
    default:
      return [fault("other", `${who} was forced and was told ${answer.outcome}`)];
  }
}

function judgePointer(
  date: string,
  pointer: string | undefined,
  newest: ManifestFacts | undefined,
  manifests: ReadonlyMap<string, string>,
): readonly Fault[] {
  if (newest === undefined) return [];
  if (pointer === undefined) return [fault("other", `${date} has no manifest.json beside ${named(newest)}`)];
  const pointed = factsOf(pointer);
  if (pointed === undefined || !isCopy(pointer, manifests.get(pointed.key))) {
    return [fault("mixed", `manifest.json of ${date} is no copy of ${pointed?.key ?? "any manifest"}`)];
  }
  if (pointed.key === newest.key) return [];
  return [fault("other", `manifest.json of ${date} was left at ${named(pointed)}, and ${named(newest)} is published`)];
}

/** Whatever the order of the fields. */
function isCopy(text: string, original: string | undefined): boolean {
  const facts = factsOf(text);
  return facts !== undefined && isDeepStrictEqual(facts, factsOf(original));
}

/** Where bytes, metadata, rows and manifest of one result do not tell the same. */
function disagreements(what: string, { sha256, metadata, madeFrom }: Live, text: string | undefined): readonly Fault[] {
  const manifest = factsOf(text) as (ManifestFacts & { readonly inputs?: readonly { sha256?: string }[] }) | undefined;
  if (manifest === undefined) return [fault("mixed", `${what} has no manifest for its bytes, ${sha256}`)];
  const pairs = [
    ["sha256 in its manifest", manifest.result.sha256, sha256],
    ["sha256 in its metadata", metadata?.["sha256"] ?? sha256, sha256],
    ["manifest", metadata?.["manifest"] ?? manifest.key, manifest.key],
    ["run", metadata?.["run-id"] ?? manifest.runId, manifest.runId],
    ["fence", metadata?.["fence"] ?? manifest.fence, manifest.fence],
    ["input", madeFrom ?? manifest.inputs?.[0]?.sha256, manifest.inputs?.[0]?.sha256],
  ] as const;
  return pairs
    .filter(([, one, other]) => one !== other)
    .map(([name, one, other]) => fault("mixed", `${what} (${named(manifest)}) is mixed: ${name} ${one}, not ${other}`));
}

function fault(kind: FaultKind, sentence: string): Fault {
  return { kind, sentence };
}
