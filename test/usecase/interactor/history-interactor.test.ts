import { expect, test } from "vitest";
import { BadRequest, InputMissing, UnknownDataset } from "../../../src/domain/model/failure.ts";
import { createHistoryInteractor } from "../../../src/usecase/interactor/history-interactor.ts";
import { createWorld, fakeCatalog } from "../../fakes/ports.ts";

const [dataset, date] = ["sales", "2026-02-05"];

/** Three results: the second has other inputs, the third another definition. */
function historyOf(read: string[] = []) {
  const result = { rows: 1, sizeBytes: 2 };
  const file = (sha256?: string) => [{ uri: "file:///in", ...(sha256 === undefined ? {} : { sha256 }) }];
  const manifests = [
    { key: "m3", runId: "r3", definitionDigest: "d2", inputs: file("b"), result, publishedAt: "3", fence: "3" },
    { key: "m2", runId: "r2", definitionDigest: "d1", inputs: file("b"), result, publishedAt: "2", fence: "2" },
    { key: "m1", runId: "r1", definitionDigest: "d1", inputs: file("a"), result, publishedAt: "1", fence: "1" },
  ];
  return createHistoryInteractor(fakeCatalog(createWorld()), {
    async *history(_, wanted) {
      if (wanted !== date) return;
      for (const manifest of manifests) {
        read.push(manifest.key);
        yield manifest as never;
      }
    },
  });
}

test("a history begins with what is live, and says what changed each time", async () => {
  const { results, more } = await historyOf().history(dataset, date);
  expect(more).toBe(false);
  expect(results.map(({ outcome, runId, definition, inputs }) => [outcome, runId, definition, inputs])).toEqual([
    ["live", "r3", "different", "same"],
    ["replaced", "r2", "same", "different"],
    ["replaced", "r1", null, null],
  ]);
  expect(results[0]).toMatchObject({ rows: 1, sizeBytes: 2, manifest: "m3", publishedAt: "3" });
});

test("a limit ends the walk, and the last result is compared all the same", async () => {
  const read: string[] = [];
  const { results, more } = await historyOf(read).history(dataset, date, 1);
  expect(results).toMatchObject([{ runId: "r3", definition: "different", inputs: "same" }]);
  expect(more).toBe(true);
  expect(read).toEqual(["m3", "m2"]);
  expect((await historyOf().history(dataset, date, 3)).more).toBe(false);
});

test("a date without results, an unknown dataset and a wrong limit are refused", async () => {
  await expect(historyOf().history(dataset, "2026-02-06")).rejects.toThrow(InputMissing);
  await expect(historyOf().history("nope", date)).rejects.toThrow(UnknownDataset);
  for (const limit of [0, -1, 1.5, 10_001]) {
    await expect(historyOf().history(dataset, date, limit)).rejects.toThrow(BadRequest);
  }
});
