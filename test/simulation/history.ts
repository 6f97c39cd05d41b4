import type { RunMode } from "../../src/domain/value-object/run-mode.ts";

/** What the checker reads of a manifest. */
export type ManifestFacts = {
  readonly runId: string;
  readonly fence: string;
  readonly key: string;
  readonly previous: string | null;
  readonly result: { readonly sha256: string };
};

type Metadata = Readonly<Record<string, string>>;

/** `sha256` is of the bytes themselves. A text is told of manifests only. */
export type HistoryEvent =
  | { readonly type: "intended"; readonly runId: string; readonly fence: string; readonly mode: RunMode }
  | {
      readonly type: "wrote";
      readonly key: string;
      readonly sha256: string;
      readonly metadata: Metadata;
      readonly text?: string;
    }
  | { readonly type: "deleted"; readonly key: string }
  | {
      readonly type: "answered";
      readonly runId: string;
      readonly outcome: "published" | "superseded" | "skipped";
      readonly manifest: string;
    }
  /** With an error that nobody retries. */
  | { readonly type: "failed"; readonly runId: string; readonly error: string }
  /** Bytes and metadata of one moment, and the manifest that the metadata names. */
  | {
      readonly type: "saw-result";
      readonly reader: string;
      readonly found?: { readonly sha256: string; readonly metadata: Metadata; readonly manifest: string | undefined };
    }
  | { readonly type: "saw-published"; readonly reader: string; readonly found?: ManifestFacts }
  | { readonly type: "saw-pointer"; readonly reader: string; readonly found?: string }
  | { readonly type: "searching"; readonly reader: string; readonly runId: string }
  /** Ends the search of this reader: the manifest that the history has of the run, if any. */
  | { readonly type: "searched"; readonly reader: string; readonly runId: string; readonly found?: string }
  /** From here on everybody has had the chance to try again without faults. */
  | { readonly type: "recovered" };

/** What happened to one dataset and date. Writes are in the order in which the store took them. */
export type History = {
  readonly stableKey: string;
  readonly pointerKey: string;
  readonly events: readonly HistoryEvent[];
};

export type Intent = { readonly runId: string; readonly fence: string };
export type Of<T extends HistoryEvent["type"]> = Extract<HistoryEvent, { type: T }> & { readonly at: number };
export type Commit = Intent & {
  readonly at: number;
  readonly sha256: string;
  readonly metadata: Metadata;
  readonly manifest: string;
};
export type View = {
  readonly stableKey: string;
  readonly commits: readonly Commit[];
  readonly intents: ReadonlyMap<string, Of<"intended">>;
  /** In the order of the history; `at` is the place in it. */
  readonly all: <T extends HistoryEvent["type"]>(type: T) => readonly Of<T>[];
  readonly pointers: readonly Of<"wrote">[];
  readonly recoveredAt: number | undefined;
};

export function viewOf({ stableKey, pointerKey, events }: History): View {
  const groups = new Map<string, (HistoryEvent & { readonly at: number })[]>();
  for (const [at, event] of events.entries()) {
    const group = groups.get(event.type) ?? [];
    group.push({ ...event, at });
    groups.set(event.type, group);
  }
  const all = <T extends HistoryEvent["type"]>(type: T) => (groups.get(type) ?? []) as Of<T>[];
  const intents = new Map(all("intended").map((intent) => [intent.runId, intent]));
  const wrote = all("wrote");
  return {
    stableKey,
    commits: wrote
      .filter(({ key, metadata }) => key === stableKey && intents.has(metadata["run-id"] ?? ""))
      .map(({ at, sha256, metadata }) => ({
        at,
        sha256,
        metadata,
        ...intentOf(metadata),
        manifest: metadata["manifest"] ?? "",
      })),
    intents,
    all,
    pointers: wrote.filter(({ key }) => key === pointerKey),
    recoveredAt: all("recovered")[0]?.at,
  };
}

/** The immutable manifest as it was first written. */
export function recordOf(view: View, manifest: string | undefined): ManifestFacts | undefined {
  return factsOf(view.all("wrote").find(({ key }) => key === manifest)?.text);
}

export function factsOf(text: string | undefined): ManifestFacts | undefined {
  try {
    const parsed = JSON.parse(text ?? "");
    return typeof parsed?.result?.sha256 === "string" ? parsed : undefined;
  } catch {
    return undefined;
  }
}

export function intentOf(metadata: Metadata): Intent {
  return { runId: metadata["run-id"] ?? "", fence: metadata["fence"] ?? "" };
}

export function compare(one: Intent, other: Intent): number {
  const [a, b] = one.fence === other.fence ? [one.runId, other.runId] : [one.fence, other.fence];
  return a < b ? -1 : a > b ? 1 : 0;
}

export function named({ runId, fence }: Intent): string {
  return `${runId} (${fence})`;
}
