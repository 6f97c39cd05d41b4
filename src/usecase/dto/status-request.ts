import { BadRequest } from "../../domain/model/failure.ts";
import { type DatasetId, parseDatasetId } from "../../domain/value-object/dataset-id.ts";
import { countDates } from "../../domain/value-object/date-range.ts";
import { parseTargetDate, type TargetDate } from "../../domain/value-object/target-date.ts";

export const longestRangeDays = 7_310;
const longestRangeYears = 20;

/** What a person asks for, as it comes over the wire. */
export type StatusRequest = {
  /** All of them when left out. */
  readonly dataset?: string;
  /** Default: the first published date, 20 years back at the most; 90 days where nothing is published. */
  readonly from?: string;
  /** Default: the newest date that is expected by now, or published. */
  readonly to?: string;
  /** Do not ask Temporal. */
  readonly fromStoreAlone?: boolean;
};

export type ParsedStatusRequest = {
  readonly dataset: DatasetId | undefined;
  readonly from: TargetDate | undefined;
  readonly to: TargetDate | undefined;
  readonly fromStoreAlone: boolean;
};

/** @throws BadRequest with the first field that is wrong */
export function parseStatusRequest(request: StatusRequest): ParsedStatusRequest {
  const { dataset, from, to, fromStoreAlone = false } = request ?? {};
  const parsed = {
    dataset: dataset === undefined ? undefined : parseDatasetId(dataset),
    from: parseEnd("from", from),
    to: parseEnd("to", to),
    fromStoreAlone,
  };
  if (parsed.from !== undefined && parsed.to !== undefined) refuseRange(parsed.from, parsed.to);
  return parsed;
}

/** @throws BadRequest when the range is reversed or too long */
export function refuseRange(from: TargetDate, to: TargetDate): void {
  if (from > to) throw new BadRequest(`from must not be after to, got ${from} to ${to}`);
  const days = countDates({ from, to });
  if (days > longestRangeDays) {
    throw new BadRequest(
      `a range must have at most ${longestRangeDays} days, ${longestRangeYears} years, got ${days} from ${from} to ${to}`,
    );
  }
}

function parseEnd(name: "from" | "to", value: unknown): TargetDate | undefined {
  if (value === undefined) return undefined;
  try {
    return parseTargetDate(value);
  } catch (error) {
    throw error instanceof BadRequest ? new BadRequest(`${name}: ${error.message}`) : error;
  }
}
