import { z } from "zod";
import type { Manifest } from "../../domain/model/analysis-result.ts";
import { StoreUnsafe } from "../../domain/model/failure.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.int().min(0);
const count = z.int().min(0);
const text = (description: string) => z.string().min(1).meta({ description });

const step = z.object({
  ms: z.number().min(0).meta({ description: "milliseconds" }),
  peakMemoryBytes: bytes.meta({
    description: "resident memory: of the child that calculated; for the other steps of the whole process so far",
  }),
});

const input = z.object({
  uri: text("as the definition names it, without secrets"),
  location: text("where the pinned bytes were read: a file: or s3: address, or a key of the store"),
  sizeBytes: bytes,
  sha256: sha256.optional().meta({ description: "absent for what was read in place, which its etag pins" }),
  etag: z.string().optional().meta({ description: "strong validator of the source, quotes included" }),
  versionId: z.string().optional(),
  modifiedAt: z.string().optional().meta({ description: "hint of the source, ISO 8601 in UTC" }),
  fetchedAt: text("ISO 8601 in UTC"),
});

const result = z.object({
  key: text("of the published object, in the store"),
  rows: count,
  sizeBytes: bytes,
  sha256: sha256.meta({ description: "of the published bytes" }),
  columns: z.array(z.object({ name: z.string(), type: z.string().meta({ description: "as Polars names it" }) })),
});

const check = z.object({
  name: z.string(),
  on: z.enum(["rows", "result"]),
  passed: z.boolean(),
  observed: z.string(),
  expected: z.string(),
});

// What a later version adds outlives an earlier one that completes its publication.
const manifest = z
  .looseObject({
    version: z.literal(2),
    dataset: text("id of the definition"),
    date: z.string().regex(/^\d{4}-\d{2}-\d{2}$/),
    runId: text("of the run that published; Temporal's where it was one of Temporal's"),
    fence: text("start of that run, ISO 8601 in UTC; a later one replaces an earlier one, never the other way"),
    publishedAt: text("ISO 8601 in UTC"),
    definitionDigest: sha256.meta({ description: "of the definition's source and of every local file it imports" }),
    inputs: z.array(input),
    rowsRead: count.meta({ description: "rows of all inputs together" }),
    notes: z.array(z.string()).meta({ description: "what no rule forbids, such as a column beyond the contract" }),
    result,
    checks: z.array(check),
    engine: z.object({ service: z.string(), polars: z.string(), node: z.string() }),
    steps: z.object({ inspect: step, load: step, analyze: step }),
    key: text("of this manifest's immutable copy"),
    previous: z.string().nullable().meta({ description: "key of the manifest of the result that this one replaced" }),
  })
  .meta({
    title: "Manifest of a published result",
    description: "How a result came to be: what it was made from, by what, and what was checked.",
  });

/** As JSON Schema, for readers: docs/manifest.schema.json holds it. Later versions may add fields. */
export function manifestJsonSchema(): object {
  return { $id: "urn:polars-analysis-service:manifest:2", ...z.toJSONSchema(manifest, { io: "input" }) };
}

/** @throws StoreUnsafe when the text is no manifest of this version */
export function parseManifest(key: string, text: string): Manifest {
  try {
    return manifest.parse(upgrade(JSON.parse(text))) as unknown as Manifest;
  } catch (cause) {
    const reason =
      cause instanceof z.ZodError ? z.prettifyError(cause).split("\n").slice(0, 2).join(" ") : String(cause);
    throw new StoreUnsafe(`${key} must be a manifest of version 1 or 2: ${reason}`, { cause });
  }
}

const version1 = z.looseObject({
  version: z.literal(1),
  timings: z.object({ inspectMs: z.number(), loadMs: z.number(), analyzeMs: z.number() }),
  peakMemoryBytes: z.number(),
});

/** Version 1 told the peak of the calculation alone. */
function upgrade(value: unknown): unknown {
  const old = version1.safeParse(value);
  if (!old.success) return value;
  const { timings, peakMemoryBytes, ...rest } = old.data;
  return {
    ...rest,
    version: 2,
    steps: {
      inspect: { ms: timings.inspectMs, peakMemoryBytes: 0 },
      load: { ms: timings.loadMs, peakMemoryBytes: 0 },
      analyze: { ms: timings.analyzeMs, peakMemoryBytes },
    },
  };
}

/** As it is stored: readable by a person. */
export function printManifest(value: Manifest): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
