import { createHash } from "node:crypto";
import type { Manifest } from "../../domain/model/analysis-result.ts";
import type { Fence } from "../../domain/value-object/fence.ts";
import type { PinnedInput } from "../../domain/value-object/fingerprint.ts";
import type { RunId } from "../../domain/value-object/run-id.ts";
import type { TargetDate } from "../../domain/value-object/target-date.ts";
import type { IndexedResult } from "../../usecase/ports/output/result-index.ts";

/*
 * The index of one dataset and year: a line that says so, then a line for each date, in order. The same results give the
 * same bytes, whoever wrote them.
 */

const digits = 16;

/** By date. */
export type Shard = ReadonlyMap<string, IndexedResult>;

export function printShard(dataset: string, year: string, shard: Shard): string {
  const results = [...shard.values()].toSorted((one, other) => (one.date < other.date ? -1 : 1));
  return `${[headOf(dataset, year), ...results.map(printLine)].join("\n")}\n`;
}

/** Nothing when the text is no index of this dataset, year and version, or was cut off. */
export function parseShard(dataset: string, year: string, text: string): Shard | undefined {
  const [head, ...lines] = text.split("\n");
  if (head !== headOf(dataset, year) || lines.pop() !== "") return undefined;
  const shard = new Map<string, IndexedResult>();
  for (const line of lines) {
    const result = parseLine(line);
    if (result === undefined || !result.date.startsWith(year)) return undefined;
    shard.set(result.date, result);
  }
  return shard;
}

export function printLine(result: IndexedResult): string {
  const { date, fence, runId, publishedAt, rows, sizeBytes, definitionDigest, inputsDigest } = result;
  return JSON.stringify([date, fence, runId, publishedAt, rows, sizeBytes, definitionDigest, inputsDigest]);
}

/** Thousands of lines are read at once: one pattern takes a quarter of the time of a parser for each cell. */
const cells =
  /^\["(\d{4}-\d\d-\d\d)","(\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z)","([A-Za-z0-9][\w-]{0,63})","([^"\\]+)",(\d+),(\d+),"([0-9a-f]+)","([0-9a-f]+)"\]$/;

function parseLine(line: string): IndexedResult | undefined {
  const found = cells.exec(line);
  if (found === null) return undefined;
  const [, date, fence, runId, publishedAt = "", rows, sizeBytes, definitionDigest = "", inputsDigest = ""] = found;
  return {
    date: date as TargetDate,
    fence: fence as Fence,
    runId: runId as RunId,
    publishedAt,
    rows: Number(rows),
    sizeBytes: Number(sizeBytes),
    definitionDigest,
    inputsDigest,
  };
}

export function indexed(manifest: Manifest): IndexedResult {
  const { date, fence, runId, publishedAt, definitionDigest, inputs, result } = manifest;
  return {
    date,
    fence,
    runId,
    publishedAt,
    rows: result.rows,
    sizeBytes: result.sizeBytes,
    definitionDigest: definitionDigest.slice(0, digits),
    inputsDigest: digestOf(inputs),
  };
}

/** By content where every sha256 is known, else by address and validator, as inputs are compared. */
function digestOf(inputs: readonly PinnedInput[]): string {
  const byContent = inputs.every(({ sha256 }) => sha256 !== undefined);
  const parts = inputs.map(({ uri, sha256, etag }) => (byContent ? sha256 : `${uri} ${sha256 ?? etag ?? ""}`));
  return createHash("sha256").update(JSON.stringify(parts.toSorted())).digest("hex").slice(0, digits);
}

function headOf(dataset: string, year: string): string {
  return JSON.stringify({ version: 1, dataset, year });
}
