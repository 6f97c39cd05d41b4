import { expect, test } from "vitest";
import { createService, smallCsv } from "../../support/service.ts";

test("plan needs no server, says in one line that it asked none, and has the same hash", async () => {
  await using service = await createService({ TEMPORAL_ADDRESS: "127.0.0.1:1" });
  await service.define("totals");
  await service.write("2026-01-01.csv", smallCsv);
  const plan = (...more: string[]) => service.run("cli", ["plan", "totals", "2026-01-01", "2026-01-02", ...more]);
  const { status, out, err } = await plan();
  expect({ status, err }).toEqual({ status: 0, err: "" });
  const [notKnown, hash] = out.trimEnd().split("\n").slice(-2);
  expect(notKnown).toMatch(/^which dates have failed is not known: no Temporal server answers at 127\.0\.0\.1:1 /);
  const unasked = JSON.parse((await plan("--without-temporal", "--json")).out);
  expect(unasked).toMatchObject({ temporal: { asked: false, message: null }, counts: { missing: 1, "no-input": 1 } });
  expect(hash).toBe(`plan ${unasked.hash}`);
});
