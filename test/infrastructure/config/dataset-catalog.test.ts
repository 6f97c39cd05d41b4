import { cp, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BadRequest, UnknownDataset } from "../../../src/domain/model/failure.ts";
import { parseDatasetId } from "../../../src/domain/value-object/dataset-id.ts";
import { loadDatasetCatalog } from "../../../src/infrastructure/config/dataset-catalog.ts";
import { checkSource } from "../../../src/infrastructure/loader/expand-source.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const till = `import { defineDataset, pl } from "polars-analysis-service";

export default defineDataset({
  id: "till",
  title: "Takings by store",
  source: { uri: "file:/data/till/{date}.csv" },
  format: { type: "csv" },
  schema: {
    store: { type: pl.String, nullable: false },
    amount: { type: pl.Int64, nullable: true },
  },
  timeZone: "Europe/Berlin",
  analyze: (rows) => rows.groupBy("store").agg(pl.col("amount").sum().alias("total")),
  sortBy: ["store"],
  checks: [],
});
`;

const load = (folder: string) => loadDatasetCatalog(folder, ({ definition }) => checkSource(definition.source));

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await tempFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

const faultOf = async (files: Readonly<Record<string, string>>) => {
  const error = await load(await folderOf(files)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BadRequest);
  return String(error);
};

describe("a folder of definitions", () => {
  it("may lie anywhere and needs no packages of its own", async () => {
    const catalog = await load(await folderOf({ "till.ts": till }));
    const { id, definition, digest } = catalog.get(parseDatasetId("till"));
    expect([id, definition.title, digest.length]).toEqual(["till", "Takings by store", 64]);
    expect(catalog.list().map((entry) => entry.id)).toEqual(["till"]);
    expect(() => catalog.get(parseDatasetId("tilt"))).toThrow(UnknownDataset);
    expect(() => catalog.get(parseDatasetId("tilt"))).toThrow(/known are till/);
  });

  it("is refused when it is not there", async () => {
    await expect(load(join(await tempFolder(), "absent"))).rejects.toThrow(/DATASETS must be a folder of definitions/);
  });

  it.each([
    ["a syntax error, with its line", till.replace("title:", "title::"), /till\.ts: cannot be loaded: .*line 5/],
    ["a missing field", till.replace('  timeZone: "Europe/Berlin",\n', ""), /till\.ts: timeZone: /],
    ["a field that does not exist", till.replace("sortBy", "sortedBy"), /till\.ts: .*(sortBy|sortedBy)/],
    ["a wrong type", till.replace("checks: []", "checks: 3"), /till\.ts: checks: /],
    ["a column type that is none", till.replace("pl.Int64", '"Int64"'), /schema\.amount\.type: must be a Polars type/],
    [
      "a time zone that is not known",
      till.replace("Europe/Berlin", "Europe/Bern"),
      /timeZone: must be an IANA time zone, got Europe\/Bern/,
    ],
    [
      "a schedule that is no cron expression",
      till.replace("checks: []", 'checks: [], schedule: "at six"'),
      /till\.ts: schedule: must be a cron expression of five fields/,
    ],
    [
      "a schedule that never fires",
      till.replace("checks: []", 'checks: [], schedule: "0 6 30 2 *"'),
      /till\.ts: schedule: never fires: no month of 2 has a day 30/,
    ],
    ["a lag beyond a year", till.replace("checks: []", "checks: [], lagDays: 400"), /till\.ts: lagDays: .*366/],
    [
      "an id that is not its file's name",
      till.replace('id: "till"', 'id: "tills"'),
      /id: must be the name of the file, till, got tills/,
    ],
    ["an id that is none", till.replace('id: "till"', 'id: "Till"'), /id: dataset must be 1 to 40/],
    ["a template that is not known", till.replace("{date}", "{day}"), /till\.ts: source\.uri: .*\{day\}/],
    ["an address that no loader reads", till.replace("file:/", "ftp://"), /till\.ts: source\.uri: .*ftp/],
    ["no default export", "export const a = 1;\n", /till\.ts: must have a default export/],
    ["an import that is not there", `import "./absent.ts";\n${till}`, /till\.ts: cannot be loaded: .*absent/],
    ["code that throws", `throw new Error("no luck");\n`, /till\.ts: cannot be loaded: no luck/],
    [
      "a time type that text cannot give",
      till.replace("pl.Int64", "pl.Time"),
      /schema\.amount\.type: Time cannot be read from csv/,
    ],
    [
      "an unknown directive",
      till.replace("type: pl.Int64", 'type: pl.Date, format: "%Q"'),
      /schema\.amount\.format: .*%Q/,
    ],
  ])("names file and field of %s", async (_, text, sentence) => {
    const fault = await faultOf({ "till.ts": text });
    expect(fault).toMatch(sentence);
    expect(fault).not.toMatch(/\n\s+at /);
  });

  it("tells the faults of all files at once", async () => {
    const fault = await faultOf({ "a.ts": "export default 1;\n", "b.ts": "export default {};\n" });
    expect(fault).toMatch(/a\.ts: /);
    expect(fault).toMatch(/b\.ts: /);
  });

  it("refuses two files of one id", async () => {
    const fault = await faultOf({ "till.ts": till, "till.mjs": till });
    expect(fault).toMatch(/till\.mjs: id: till is also that of .*till\.ts$/);
  });

  it("leaves out what is no definition", async () => {
    const files = {
      "till.ts": till,
      "_draft.ts": "nonsense(",
      "readme.md": "x",
      "lib/a.ts": "nonsense(",
      "t.d.ts": "x(",
    };
    expect((await load(await folderOf(files))).list()).toHaveLength(1);
  });
});

describe("the digest of a definition", () => {
  const withHelper = `import { factor } from "./lib/factor.ts";\n${till.replace(".sum()", ".sum().mul(pl.lit(factor))")}`;
  const digestOf = async (folder: string) => (await load(folder)).get(parseDatasetId("till")).digest;

  it("is the same in another folder, and through a link", async () => {
    const folder = await folderOf({ "till.ts": withHelper, "lib/factor.ts": "export const factor = 2;\n" });
    const copy = join(await tempFolder(), "copy");
    await cp(folder, copy, { recursive: true });
    const linked = join(await tempFolder(), "linked");
    await symlink(folder, linked);
    const digest = await digestOf(folder);
    expect(await digestOf(copy)).toBe(digest);
    expect(await digestOf(linked)).toBe(digest);
  });

  it("changes with the definition and with what it imports, and with nothing else", async () => {
    const helper = { "lib/factor.ts": "export const factor = 2;\n" };
    const digest = await digestOf(await folderOf({ "till.ts": withHelper, ...helper }));
    const other = await folderOf({
      "till.ts": withHelper,
      ...helper,
      "lib/unused.ts": "export {};\n",
      "note.txt": "x",
    });
    expect(await digestOf(other)).toBe(digest);
    expect(await digestOf(await folderOf({ "till.ts": `${withHelper}// more\n`, ...helper }))).not.toBe(digest);
    const changed = { "lib/factor.ts": "export const factor = 3;\n" };
    expect(await digestOf(await folderOf({ "till.ts": withHelper, ...changed }))).not.toBe(digest);
  });
});
