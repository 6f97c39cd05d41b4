import { z } from "zod";
import type { Manifest } from "../../domain/model/analysis-result.ts";
import { StoreUnsafe } from "../../domain/model/failure.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const manifest = z.object({
  version: z.literal(1),
  dataset: z.string(),
  date: z.string(),
  runId: z.string(),
  fence: z.string(),
  publishedAt: z.string(),
  definitionDigest: sha256,
  inputs: z.array(
    z.object({
      uri: z.string(),
      location: z.string(),
      sizeBytes: z.number(),
      sha256,
      etag: z.string().optional(),
      modifiedAt: z.string().optional(),
      fetchedAt: z.string(),
    }),
  ),
  rowsRead: z.number(),
  notes: z.array(z.string()),
  result: z.object({
    key: z.string(),
    rows: z.number(),
    sizeBytes: z.number(),
    sha256,
    columns: z.array(z.object({ name: z.string(), type: z.string() })),
  }),
  checks: z.array(
    z.object({
      name: z.string(),
      on: z.enum(["rows", "result"]),
      passed: z.boolean(),
      observed: z.string(),
      expected: z.string(),
    }),
  ),
  engine: z.object({ service: z.string(), polars: z.string(), node: z.string() }),
  timings: z.object({ inspectMs: z.number(), loadMs: z.number(), analyzeMs: z.number() }),
  peakMemoryBytes: z.number(),
  key: z.string(),
  previous: z.string().nullable(),
});

/** @throws StoreUnsafe when the text is no manifest of this version */
export function parseManifest(key: string, text: string): Manifest {
  try {
    return manifest.parse(JSON.parse(text)) as unknown as Manifest;
  } catch (cause) {
    const reason =
      cause instanceof z.ZodError ? z.prettifyError(cause).split("\n").slice(0, 2).join(" ") : String(cause);
    throw new StoreUnsafe(`${key} must be a manifest of version 1: ${reason}`, { cause });
  }
}

/** As it is stored: readable by a person. */
export function printManifest(value: Manifest): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
