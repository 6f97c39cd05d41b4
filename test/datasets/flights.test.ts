import { randomUUID } from "node:crypto";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readSettings } from "../../src/infrastructure/config/settings.ts";
import { wireCore, wireRunAnalysis, wireShowResult } from "../../src/wiring.ts";
import { flightsYear } from "../support/flights-year.ts";
import { tempFolder } from "../support/temp-folder.ts";

const shipped = fileURLToPath(new URL("../../datasets", import.meta.url));

/** Computed without Polars: flights, cancelled (no dep_time), sum of arr_delay. */
const golden = {
  "2013-02-05": [896, 16, 5934],
  "2013-02-06": [901, 8, -1144],
  "2013-02-07": [932, 4, 1914],
  "2013-02-08": [930, 472, 11024],
  "2013-02-09": [684, 393, 1932],
  "2013-02-10": [829, 26, 5334],
  "2013-02-11": [929, 73, 30774],
} as const;

type Row = {
  readonly carrier: string;
  readonly flights: number;
  readonly cancelled: number;
  readonly arr_delay_minutes: number;
  readonly distance_miles: number;
};

/** Plain arithmetic over the text of one day. */
function expectedRows(csv: string): Row[] {
  const [header = "", ...lines] = csv.trimEnd().split("\n");
  const index = (name: string) => header.split(",").indexOf(name);
  const [carrierAt, departureAt, delayAt, distanceAt] = ["carrier", "dep_time", "arr_delay", "distance"].map(index);
  const rows = new Map<string, Row>();
  for (const line of lines) {
    const fields = line.split(",");
    const carrier = fields[carrierAt ?? -1] ?? "";
    const delay = fields[delayAt ?? -1] ?? "";
    const before = rows.get(carrier) ?? { carrier, flights: 0, cancelled: 0, arr_delay_minutes: 0, distance_miles: 0 };
    rows.set(carrier, {
      carrier,
      flights: before.flights + 1,
      cancelled: before.cancelled + (fields[departureAt ?? -1] === "NA" ? 1 : 0),
      arr_delay_minutes: before.arr_delay_minutes + (delay === "NA" ? 0 : Number(delay)),
      distance_miles: before.distance_miles + Number(fields[distanceAt ?? -1]),
    });
  }
  return [...rows.values()].toSorted((a, b) => (a.carrier < b.carrier ? -1 : 1));
}

/** Publishes each date by the use case that every entry point calls, and reads the published rows back. */
async function published(datasets: string, dates: readonly string[]): Promise<Map<string, readonly unknown[]>> {
  const settings = readSettings({ DATASETS: datasets, STORE_URL: `file:${await tempFolder()}`, WARM_CHILDREN: "0" });
  await using core = await wireCore(settings, "never");
  await using run = wireRunAnalysis(core, "many");
  const { useCase: show } = wireShowResult(core);
  const rows = new Map<string, readonly unknown[]>();
  const waiting = [...dates];
  const next = async () => {
    for (let date = waiting.shift(); date !== undefined; date = waiting.shift()) {
      const input = { dataset: "flights", date, runId: randomUUID(), fence: new Date().toISOString() };
      const output = await run.useCase.run(input);
      expect(output.outcome).toBe("published");
      rows.set(date, (await show.show("flights", date)).rows);
    }
  };
  await Promise.all([next(), next(), next()]);
  return rows;
}

describe("the flights of New York", () => {
  it("come to the golden values in the seven days that are shipped", async () => {
    const rows = await published(shipped, Object.keys(golden));
    for (const [date, [flights, cancelled, delay]] of Object.entries(golden)) {
      const day = rows.get(date) as readonly Row[];
      const sum = (key: Exclude<keyof Row, "carrier">) => day.reduce((total, row) => total + row[key], 0);
      expect([date, sum("flights"), sum("cancelled"), sum("arr_delay_minutes")]).toEqual([
        date,
        flights,
        cancelled,
        delay,
      ]);
      const text = gunzipSync(await readFile(join(shipped, `flights/flights-${date}.csv.gz`))).toString();
      expect(day).toEqual(expectedRows(text));
    }
  });

  it("come to what plain arithmetic says on all 365 days of the year", { timeout: 900_000 }, async () => {
    const year = await flightsYear();
    const datasets = await tempFolder();
    await mkdir(join(datasets, "shipped"));
    await cp(join(shipped, "flights.ts"), join(datasets, "shipped", "flights.ts"));
    // The definition under test is the shipped one; only its address is another.
    await writeFile(
      join(datasets, "flights.ts"),
      `import { defineDataset } from "polars-analysis-service";
       import flights from "./shipped/flights.ts";
       export default defineDataset({ ...flights, source: { uri: ${JSON.stringify(`file:${year}/flights-{date}.csv`)} } });`,
    );
    const dates = Array.from({ length: 365 }, (_, day) =>
      new Date(Date.UTC(2013, 0, 1 + day)).toISOString().slice(0, 10),
    );
    const rows = await published(datasets, dates);
    expect(rows.size).toBe(365);
    for (const date of dates) {
      const expected = expectedRows(await readFile(join(year, `flights-${date}.csv`), "utf8"));
      expect([date, rows.get(date)]).toEqual([date, expected]);
    }
  });
});
