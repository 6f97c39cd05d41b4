import { describe, expect, it } from "vitest";
import { BadRequest } from "../../../src/domain/model/failure.ts";
import { readSettings } from "../../../src/infrastructure/config/settings.ts";

describe("settings", () => {
  it("work without any", () => {
    expect(readSettings({})).toMatchObject({
      storeFolder: "./data",
      resultKey: "{dataset}/{date}/result.parquet",
      taskQueue: "analysis",
    });
  });

  it("count as not set when they are empty or blank", () => {
    expect(readSettings({ API_PORT: "", STORE_URL: "", WARM_CHILDREN: " ", TASK_QUEUE: "\t" })).toEqual(
      readSettings({}),
    );
  });

  it.each([
    ["file:./x", "./x"],
    ["file:/x/y", "/x/y"],
    ["file:///x/y", "/x/y"],
  ])("read the store %s", (url, folder) => {
    expect(readSettings({ STORE_URL: url }).storeFolder).toBe(folder);
  });

  it.each(["file:", "file://", "file://./data", "file://host/data", "s3://bucket", "./data"])(
    "refuse the store %s, which is no folder of this machine",
    (url) => {
      expect(() => readSettings({ STORE_URL: url })).toThrow(/^STORE_URL: must be file:<folder>/);
    },
  );

  it.each([
    ["API_PORT", "-1"],
    ["API_PORT", "65536"],
    ["API_PORT", "80.5"],
    ["WORKER_MEMORY_MIB", "0"],
    ["WARM_CHILDREN", "65"],
    ["HEARTBEAT_TIMEOUT_SECONDS", "0"],
    ["LOG_LEVEL", "DEBUG"],
  ])("refuse %s=%s", (name, value) => {
    const reading = () => readSettings({ [name]: value });
    expect(reading).toThrow(BadRequest);
    expect(reading).toThrow(new RegExp(`^${name}: .*, got "${value}"$`));
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
