import { join } from "node:path";
import pl from "nodejs-polars";
import { describe, expect, it } from "vitest";
import { BadRequest, InputMissing, UnknownDataset } from "../../../src/domain/model/failure.ts";
import { printJson } from "../../../src/interface/presenter/json-presenter.ts";
import { createShowResultInteractor } from "../../../src/usecase/interactor/show-result-interactor.ts";
import { createWorld, fakeCatalog, fakeRepository } from "../../fakes/ports.ts";
import { tempFolder } from "../../support/temp-folder.ts";

async function showing(frame: pl.DataFrame) {
  const path = join(await tempFolder(), "result.parquet");
  frame.writeParquet(path);
  const world = createWorld();
  const manifest = { dataset: "sales", date: "2026-02-05" } as never;
  const repository = {
    ...fakeRepository(world),
    findPublished: async () => manifest,
    openResult: async () => ({ path, [Symbol.asyncDispose]: async () => {} }),
  };
  return createShowResultInteractor(fakeCatalog(world), repository);
}

describe("what is shown of a result", () => {
  it("keeps every digit of large integers, decimals and dates", async () => {
    const frame = pl
      .DataFrame({ id: ["9007199254740993", "1"], amount: ["1.50", "-2"], day: ["2011-01-02", null], n: [1, 2] })
      .select(
        pl.col("id").cast(pl.Int64),
        pl.col("amount").cast(pl.Decimal(12, 2)),
        pl.col("day").str.strptime(pl.Date, "%Y-%m-%d"),
        pl.col("n").cast(pl.Int32),
      );
    const { rows } = await (await showing(frame)).show("sales", "2026-02-05");
    expect(rows).toEqual([
      { id: 9007199254740993n, amount: "1.50", day: "2011-01-02", n: 1 },
      { id: 1, amount: "-2.00", day: null, n: 2 },
    ]);
    expect(printJson(rows)).toContain('"id":9007199254740993,');
  });

  it("keeps them in lists and structs too", async () => {
    const values = pl
      .DataFrame({ k: ["a", "a"], id: ["9007199254740993", "1"], amount: ["1.50", null], day: ["2011-01-02", null] })
      .select(
        "k",
        pl.col("id").cast(pl.Int64),
        pl.col("amount").cast(pl.Decimal(12, 2)),
        pl.col("day").str.strptime(pl.Date, "%Y-%m-%d"),
      );
    const lists = values.groupBy("k").agg(pl.col("id"), pl.col("amount"), pl.col("day"));
    const list = { id: [9007199254740993n, 1], amount: ["1.50", null], day: ["2011-01-02", null] };
    expect((await (await showing(lists)).show("sales", "2026-02-05")).rows).toEqual([{ k: "a", ...list }]);
    const structs = values.select(pl.struct([pl.col("id"), pl.col("amount"), pl.col("day")]).alias("all"));
    expect((await (await showing(structs)).show("sales", "2026-02-05")).rows).toEqual([
      { all: { id: 9007199254740993n, amount: "1.50", day: "2011-01-02" } },
      { all: { id: 1, amount: null, day: null } },
    ]);
  });

  it("keeps times to the digit, and their zone, and numbers that are none", async () => {
    const frame = pl
      .DataFrame({ at: ["2011-01-02 03:04:05.123456"], x: [Number.NaN], u: ["18446744073709551615"] })
      .select(
        pl.col("at").str.strptime(pl.Datetime, "%Y-%m-%d %H:%M:%S%.f"),
        pl
          .col("at")
          .str.strptime(pl.Datetime, "%Y-%m-%d %H:%M:%S%.f")
          .dt.replaceTimeZone("Europe/Berlin")
          .alias("there"),
        pl.col("x"),
        pl.col("u").cast(pl.UInt64),
      );
    expect((await (await showing(frame)).show("sales", "2026-02-05")).rows).toEqual([
      {
        at: "2011-01-02 03:04:05.123456",
        there: "2011-01-02 03:04:05.123456+01:00",
        x: Number.NaN,
        u: 18446744073709551615n,
      },
    ]);
  });

  it("stops at the limit, which may be larger than any result", async () => {
    const show = await showing(pl.DataFrame({ a: [1, 2, 3] }));
    const lengths = [0, 2, 3, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER].map(async (limit) => {
      return (await show.show("sales", "2026-02-05", limit)).rows.length;
    });
    expect(await Promise.all(lengths)).toEqual([0, 2, 3, 3, 3, 3]);
    for (const limit of [-1, 1.5, Number.NaN]) {
      await expect(show.show("sales", "2026-02-05", limit)).rejects.toThrow(BadRequest);
    }
  });

  it("is nothing where nothing is published, or the dataset is not known", async () => {
    const world = createWorld();
    const show = createShowResultInteractor(fakeCatalog(world), fakeRepository(world));
    await expect(show.show("sales", "2026-02-05")).rejects.toThrow(InputMissing);
    await expect(show.show("other", "2026-02-05")).rejects.toThrow(UnknownDataset);
    expect(await show.manifest("sales", "2026-02-05")).toBeUndefined();
  });
});
