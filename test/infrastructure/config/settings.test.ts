import { describe, expect, it } from "vitest";
import { readSettings } from "../../../src/infrastructure/config/settings.ts";

describe("settings", () => {
  it("work without any", () => {
    expect(readSettings({})).toMatchObject({
      storeFolder: "./data",
      resultKey: "{dataset}/{date}/result.parquet",
      taskQueue: "analysis",
    });
  });

  it("count as not set when they are empty", () => {
    expect(readSettings({ API_PORT: "", STORE_URL: "" })).toEqual(readSettings({}));
  });

  it.each([
    ["file:./x", "./x"],
    ["file:/x/y", "/x/y"],
    ["file:///x/y", "/x/y"],
  ])("read the store %s", (url, folder) => {
    expect(readSettings({ STORE_URL: url }).storeFolder).toBe(folder);
  });

  it("tell all faults at once, each with its name and what came", () => {
    const faults = () =>
      readSettings({ STORE_URL: "ftp://x", API_PORT: "70000", LOG_LEVEL: "loud", WARM_CHILDREN: "two" });
    expect(faults).toThrow(/STORE_URL: .*"ftp:\/\/x"/);
    expect(faults).toThrow(/API_PORT: .*"70000"/);
    expect(faults).toThrow(/LOG_LEVEL: .*"loud"/);
    expect(faults).toThrow(/WARM_CHILDREN: .*"two"/);
  });
});
