import { DataType, pl } from "nodejs-polars";

/** `Int64`, `Datetime(us,UTC)`, `List(Struct(k: String))`: equal names mean equal types. */
export function typeName(type: DataType): string {
  const inner = innerOf(type);
  switch (type.variant) {
    case "Utf8":
      return "String";
    case "List":
      return `List(${typeName(inner[0] as DataType)})`;
    case "Struct": {
      const fields = inner as { readonly name: string; readonly dtype: DataType }[];
      return `Struct(${fields.map((field) => `${field.name}: ${typeName(field.dtype)}`).join(", ")})`;
    }
    case "FixedSizeList":
      return `FixedSizeList(${typeName(inner[0] as DataType)}, ${String(inner[1])})`;
    default: {
      // A Datetime without a zone has null for one when it is declared, and an empty text when it comes from a file.
      const parameters = inner.filter((parameter) => parameter !== null && parameter !== undefined && parameter !== "");
      return parameters.length === 0 ? type.variant : `${type.variant}(${parameters.join(",")})`;
    }
  }
}

export function isColumnType(value: unknown): value is DataType {
  return value instanceof DataType;
}

/** Types that Polars's text readers parse strictly by themselves: a text that is none of the type is an error. */
const parsedByReader = new Set<string>([
  "Int8",
  "Int16",
  "Int32",
  "Int64",
  "UInt8",
  "UInt16",
  "UInt32",
  "UInt64",
  "Float32",
  "Float64",
  "Bool",
  "String",
  "Utf8",
]);

/** Types that are read as text and converted by the contract, since the engine's own conversion guesses, rounds or cuts. */
const convertedFromText = new Set<string>(["Date", "Datetime", "Decimal", "Categorical"]);

/** Types that Polars 0.54 aborts at when it reads NDJSON. */
const unknownToNdjson = new Set<string>(["Int8", "Int16", "UInt8", "UInt16"]);

/** Why the type cannot be read from the format, or nothing when it can. */
export function unreadable(type: DataType, format: "csv" | "ndjson" | "parquet" | "arrow"): string | undefined {
  if (format === "parquet" || format === "arrow") return undefined;
  if (type.variant === "Datetime" && innerOf(type)[1]) {
    return `${typeName(type)} cannot be read from ${format}: declare a Datetime without a zone, or a String`;
  }
  if (format === "ndjson" && unknownToNdjson.has(type.variant)) {
    return `${typeName(type)} cannot be read from ndjson: declare ${type.variant.replace(/8|16/, "32")}`;
  }
  const nested = format === "ndjson" && (type.variant === "List" || type.variant === "Struct");
  if (nested || parsedByReader.has(type.variant) || convertedFromText.has(type.variant)) return undefined;
  return `${typeName(type)} cannot be read from ${format}`;
}

/** The type that a text reader is asked for, so that nothing is guessed. */
export function readerType(type: DataType): DataType {
  return convertedFromText.has(type.variant) ? pl.String : type;
}

export function isConverted(type: DataType): boolean {
  return convertedFromText.has(type.variant);
}

/** Decimals of a second that a Datetime read from text can hold: the engine parses microseconds at the most. */
export function secondDecimals(type: DataType): number {
  return innerOf(type)[0] === "ms" ? 3 : 6;
}

/** Scale of a Decimal: digits after the point. */
export function scaleOf(type: DataType): number {
  return Number(innerOf(type)[1] ?? 0);
}

const integers = ["Int8", "Int16", "Int32", "Int64"];
const naturals = ["UInt8", "UInt16", "UInt32", "UInt64"];
const widenings: Readonly<Record<string, readonly string[]>> = {
  Int8: integers.slice(1),
  Int16: integers.slice(2),
  Int32: integers.slice(3),
  UInt8: [...naturals.slice(1), ...integers.slice(1)],
  UInt16: [...naturals.slice(2), ...integers.slice(2)],
  UInt32: [...naturals.slice(3), ...integers.slice(3)],
  Float32: ["Float64"],
  Categorical: ["String"],
  "Datetime(ms)": ["Datetime(us)"],
};
const smallIntegers = new Set(["Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32"]);

/** Whether a column of one type always fits another: `exact`, `when-small` (beyond 2^53 digits would be lost), or not. */
export function widening(from: DataType, to: DataType): "exact" | "when-small" | undefined {
  const [fromName, toName] = [typeName(from), typeName(to)];
  if (fromName === toName || from.variant === "Null") return "exact";
  if (widenings[fromName]?.includes(toName)) return "exact";
  if (toName !== "Float64") return undefined;
  if (smallIntegers.has(fromName)) return "exact";
  return fromName === "Int64" || fromName === "UInt64" ? "when-small" : undefined;
}

function innerOf(type: DataType): readonly unknown[] {
  return (type as unknown as { readonly inner: readonly unknown[] | null }).inner ?? [];
}
