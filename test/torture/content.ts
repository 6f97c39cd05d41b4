import { createHash } from "node:crypto";
import pl from "nodejs-polars";

const rowCount = 5_000;

/** Every date and generation has an input of its own, and the result shows in each row which one it was made from. */
export function inputOf(dateIndex: number, generation: number): string {
  const rows = Array.from({ length: rowCount }, (_, row) => `c${row},${totalOf(dateIndex, generation, row)}\n`);
  return `category,value\n${rows.join("")}`;
}

/**
 * The sha256 of the input that a result was made from, as its own rows tell.
 * @throws when the bytes are no Parquet file, or the rows are not of one input
 */
export function madeFrom(bytes: Buffer): string {
  const frame = pl.readParquet(bytes);
  const categories = frame.getColumn("category").toArray() as readonly string[];
  const totals = frame.getColumn("total").toArray() as readonly number[];
  const origin = Math.floor(Number(totals[0]) / rowCount);
  const [dateIndex, generation] = [origin % mostDates, Math.floor(origin / mostDates)];
  const strange = categories.findIndex(
    (category, index) => Number(totals[index]) !== totalOf(dateIndex, generation, Number(category.slice(1))),
  );
  if (categories.length !== rowCount || strange >= 0) {
    throw new Error(`row ${strange} of ${categories.length} is not of the input that the first row is of`);
  }
  return sha256Of(inputOf(dateIndex, generation));
}

export function sha256Of(bytes: Buffer | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const mostDates = 100;

function totalOf(dateIndex: number, generation: number, row: number): number {
  return (generation * mostDates + dateIndex) * rowCount + row;
}
