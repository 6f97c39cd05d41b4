import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { failureCodes, failureOf } from "../../src/domain/model/failure.ts";
import { retryDelayMs } from "../../src/domain/service/retry-service.ts";
import { settingNames } from "../../src/infrastructure/config/settings.ts";
import { presentFailure } from "../../src/interface/presenter/failure-presenter.ts";

/** The cells of the first table of a page, without its head. */
async function tableOf(page: string): Promise<string[][]> {
  const text = await readFile(new URL(`../../docs/${page}`, import.meta.url), "utf8");
  const table = text.match(/(?:^\|.*\|\n)+/m)?.[0] ?? "";
  const rows = table.trimEnd().split("\n").slice(2);
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}

function attemptsOf(code: (typeof failureCodes)[number]): string {
  let attempts = 1;
  while (retryDelayMs(code, attempts) !== undefined) attempts += 1;
  return attempts === 1 ? "not retried" : `retried, ${attempts} attempts in all`;
}

describe("the pages say what the code does", () => {
  it("failures", async () => {
    const expected = failureCodes.map((code) => {
      const { title, httpStatus, exitStatus } = presentFailure(failureOf(code, "x"));
      return [`\`${code}\``, title, attemptsOf(code), `${httpStatus}`, `${exitStatus}`];
    });
    expect(await tableOf("failures.md")).toEqual(expected);
  });

  it("settings", async () => {
    const names = (await tableOf("settings.md")).map(([name]) => name);
    expect(names).toEqual(settingNames.map((name) => `\`${name}\``));
  });
});
