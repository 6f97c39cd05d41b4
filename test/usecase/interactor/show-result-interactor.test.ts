import { join } from "node:path";
import pl from "nodejs-polars";
import { describe, expect, it } from "vitest";
import { InputMissing, UnknownDataset } from "../../../src/domain/model/failure.ts";
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

  it("stops at the limit", async () => {
    const show = await showing(pl.DataFrame({ a: [1, 2, 3] }));
    expect((await show.show("sales", "2026-02-05", 2)).rows).toHaveLength(2);
  });

  it("is nothing where nothing is published, or the dataset is not known", async () => {
    const world = createWorld();
    const show = createShowResultInteractor(fakeCatalog(world), fakeRepository(world));
    await expect(show.show("sales", "2026-02-05")).rejects.toThrow(InputMissing);
    await expect(show.show("other", "2026-02-05")).rejects.toThrow(UnknownDataset);
    expect(await show.manifest("sales", "2026-02-05")).toBeUndefined();
  });
});
