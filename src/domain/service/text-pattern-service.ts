import type { DataType } from "nodejs-polars";
import { BadRequest } from "../model/failure.ts";
import { scaleOf, secondDecimals } from "./column-type-service.ts";

const directives: Readonly<Record<string, string>> = {
  Y: "[0-9]{4}",
  y: "[0-9]{2}",
  m: "[0-9]{1,2}",
  d: "[0-9]{1,2}",
  e: " ?[0-9]{1,2}",
  H: "[0-9]{1,2}",
  I: "[0-9]{1,2}",
  M: "[0-9]{1,2}",
  S: "[0-5]?[0-9]",
  p: "[AaPp][Mm]",
  j: "[0-9]{1,3}",
  b: "[A-Za-z]{3}",
  B: "[A-Za-z]+",
  ".f": "(?:\\.[0-9]{1,DECIMALS})?",
  "%": "%",
};

const isoDatetime = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-5][0-9](?:\\.[0-9]{1,DECIMALS})?$";

/**
 * The whole text that a converted column may hold, as a regular expression. The engine's own parsers accept a text that
 * begins right (`2011-01-02 25:00`, an ignored UTC offset, a third decimal); this pattern does not.
 * @throws BadRequest for a directive that is not known
 */
export function textPattern(type: DataType, format?: string): string | undefined {
  if (type.variant === "Decimal") {
    const scale = scaleOf(type);
    return scale === 0 ? "^[+-]?[0-9]+$" : `^[+-]?[0-9]+(?:\\.[0-9]{1,${scale}})?$`;
  }
  if (type.variant === "Date") return formatPattern(format ?? "%Y-%m-%d");
  if (type.variant !== "Datetime") return undefined;
  const pattern = format === undefined ? isoDatetime : formatPattern(format);
  return pattern.replaceAll("DECIMALS", String(secondDecimals(type)));
}

function formatPattern(format: string): string {
  const body = format.replaceAll(/%(\.f|.|$)|[^%]/gs, (token, directive?: string) => {
    if (directive === undefined) return token.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
    const pattern = directives[directive];
    if (pattern === undefined) {
      const known = Object.keys(directives).map((key) => `%${key}`);
      throw new BadRequest(`format ${format} uses %${directive}, known are ${known.join(" ")}`);
    }
    return pattern;
  });
  return `^${body}$`;
}
