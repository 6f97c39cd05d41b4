import { z } from "zod";
import type { DatasetDefinition } from "../../domain/model/dataset-definition.ts";
import { AnalysisFailure } from "../../domain/model/failure.ts";
import { isColumnType, unreadable } from "../../domain/service/column-type-service.ts";
import { parseCron } from "../../domain/service/cron-service.ts";
import { textPattern } from "../../domain/service/text-pattern-service.ts";
import { parseDatasetId } from "../../domain/value-object/dataset-id.ts";

const text = z.string().min(1);
const oneAscii = z.string().regex(/^[\x20-\x7e\t]$/, "must be one ASCII character");
const natural = z.int().nonnegative();
const columns = z.array(text).min(1);
const on = z.enum(["rows", "result"]);

const datasetId = z.string().superRefine((value, context) => explain(context, () => parseDatasetId(value)));

const timeZone = z.string().refine(isTimeZone, { error: (issue) => `must be an IANA time zone, got ${issue.input}` });

const schedule = z.string().superRefine((value, context) => explain(context, () => parseCron(value)));

/** Days back, each of which is looked at. */
const days = natural.max(366);

const check = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("row-count"), on, min: natural.optional(), max: natural.optional() }),
  z.strictObject({ kind: z.literal("not-null"), on, columns }),
  z.strictObject({ kind: z.literal("unique"), on, columns }),
  z.strictObject({
    kind: z.literal("in-range"),
    on,
    column: text,
    min: z.number().optional(),
    max: z.number().optional(),
  }),
  z.strictObject({
    kind: z.literal("accepted"),
    on,
    column: text,
    values: z.array(z.union([z.string(), z.number(), z.boolean()])).min(1),
  }),
  z.strictObject({
    kind: z.literal("holds"),
    on,
    name: text,
    predicate: z.custom((value) => typeof value === "object" && value !== null),
  }),
]);

const column = z.strictObject({
  type: z.custom(isColumnType, "must be a Polars type, such as pl.Int64"),
  nullable: z.boolean().optional(),
  format: text.optional(),
});

const definition = z
  .strictObject({
    id: datasetId,
    title: text,
    source: z.strictObject({
      uri: z.union([text, z.array(text).min(1)]),
      glob: z.boolean().optional(),
      allowedHosts: z.array(text).optional(),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/, "must be 64 hex digits")
        .optional(),
      secret: z
        .string()
        .regex(/^[A-Za-z_]\w*$/, "must be the name of an environment variable")
        .optional(),
    }),
    format: z.discriminatedUnion("type", [
      z.strictObject({
        type: z.literal("csv"),
        separator: oneAscii.optional(),
        quoteChar: oneAscii.optional(),
        nullValues: z.array(z.string()).optional(),
      }),
      z.strictObject({ type: z.literal("ndjson") }),
      z.strictObject({ type: z.literal("parquet") }),
      z.strictObject({ type: z.literal("arrow") }),
    ]),
    schema: z.record(text, column).refine((schema) => Object.keys(schema).length > 0, "must name a column"),
    timeZone,
    analyze: z.custom((value) => typeof value === "function", "must be a function"),
    sortBy: z.array(text),
    checks: z.array(check),
    schedule: schedule.optional(),
    lagDays: days.optional(),
    deadline: z
      .string()
      .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, "must be a local time HH:MM")
      .optional(),
    lateDays: days.optional(),
    largeBytes: natural.optional(),
    compute: z
      .strictObject({
        memoryMiB: z.int().min(64).optional(),
        cores: z.int().min(1).optional(),
        timeLimitSeconds: z.number().positive().optional(),
      })
      .optional(),
  })
  .superRefine((value, context) => {
    for (const [name, declared] of Object.entries(value.schema)) {
      const { type, format } = declared as { type: Parameters<typeof unreadable>[0]; format?: string };
      const reason = unreadable(type, value.format.type);
      if (reason !== undefined) context.addIssue({ code: "custom", path: ["schema", name, "type"], message: reason });
      explain(context, () => textPattern(type, format), ["schema", name, "format"]);
    }
  });

/** The first fault of a definition as `field: what was expected`, or the definition. */
export function parseDefinition(
  value: unknown,
): { readonly definition: DatasetDefinition } | { readonly fault: string } {
  const parsed = definition.safeParse(value);
  if (parsed.success) return { definition: value as DatasetDefinition };
  const [issue] = parsed.error.issues;
  const field = issue?.path.map(String).join(".") ?? "";
  return { fault: `${field === "" ? "default export" : field}: ${issue?.message ?? "is not valid"}` };
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }) !== undefined && /^(?:UTC|[A-Z].*\/.+)$/.test(name);
  } catch {
    return false;
  }
}

function explain(context: z.RefinementCtx, parse: () => unknown, path: string[] = []): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof AnalysisFailure)) throw error;
    context.addIssue({ code: "custom", path, message: error.message });
  }
}
