import { describe, expect, it } from "vitest";
import { BadRequest } from "../../../src/domain/model/failure.ts";
import { readSettings } from "../../../src/infrastructure/config/settings.ts";

describe("settings", () => {
  it("work without any", () => {
    expect(readSettings({})).toMatchObject({
      store: { kind: "file", folder: "./data" },
      acceptUnsafeStore: false,
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
    expect(readSettings({ STORE_URL: url }).store).toEqual({ kind: "file", folder });
  });

  it.each([
    ["s3://analysis", "analysis", ""],
    ["s3://analysis/", "analysis", ""],
    ["s3://my.bucket-1/a/b=c/", "my.bucket-1", "a/b=c"],
  ])("read the store %s", (url, bucket, prefix) => {
    expect(readSettings({ STORE_URL: url }).store).toEqual({ kind: "s3", bucket, prefix });
  });

  it.each(["file:", "file://", "file://./data", "file://host/data", "./data"])(
    "refuse the store %s, which is no folder of this machine",
    (url) => {
      expect(() => readSettings({ STORE_URL: url })).toThrow(/^STORE_URL: must be file:<folder>/);
    },
  );

  it.each([
    "s3://",
    "s3://A",
    "s3://ab",
    "s3://bucket//x",
    "s3://bucket/../x",
    "s3://bucket/a b",
    "s3://key:secret@bucket",
  ])("refuse the store %s, which is no bucket with a plain prefix", (url) => {
    expect(() => readSettings({ STORE_URL: url })).toThrow(/^STORE_URL: must be file:<folder> or s3:/);
  });

  it("read what S3 needs, with AWS's own names where it has some", () => {
    expect(readSettings({}).s3).toEqual({ region: undefined, pathStyle: false, singlePutBytes: 5 * 2 ** 30 });
    expect(readSettings({ AWS_ENDPOINT_URL: "http://127.0.0.1:1" }).s3).toMatchObject({
      region: "us-east-1",
      pathStyle: true,
    });
    expect(
      readSettings({
        AWS_REGION: "eu-central-1",
        AWS_DEFAULT_REGION: "eu-west-1",
        AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1",
        S3_PATH_STYLE: "false",
        S3_SINGLE_PUT_MIB: "5",
        S3_ENCRYPTION: "aws:kms",
        S3_ENCRYPTION_KEY_ID: "alias/results",
        S3_TAGS: "team=data&env=",
      }).s3,
    ).toEqual({
      endpoint: "http://127.0.0.1:1",
      region: "eu-central-1",
      pathStyle: false,
      singlePutBytes: 5 * 2 ** 20,
      encryption: { algorithm: "aws:kms", keyId: "alias/results" },
      tags: "team=data&env=",
    });
    expect(() => readSettings({ S3_ENCRYPTION_KEY_ID: "k" })).toThrow(
      /S3_ENCRYPTION_KEY_ID: needs S3_ENCRYPTION=aws:kms/,
    );
  });

  it.each([
    ["API_PORT", "-1"],
    ["API_PORT", "65536"],
    ["API_PORT", "80.5"],
    ["WORKER_MEMORY_MIB", "0"],
    ["WARM_CHILDREN", "65"],
    ["HEARTBEAT_TIMEOUT_SECONDS", "0"],
    ["LOG_LEVEL", "DEBUG"],
    ["STORE_ACCEPT_UNSAFE", "maybe"],
    ["S3_SINGLE_PUT_MIB", "5121"],
    ["S3_ENCRYPTION", "none"],
    ["S3_TAGS", "a=b&c"],
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
