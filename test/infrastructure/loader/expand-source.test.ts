import { describe, expect, it } from "vitest";
import type { Source } from "../../../src/domain/model/dataset-definition.ts";
import { BadRequest } from "../../../src/domain/model/failure.ts";
import { parseTargetDate } from "../../../src/domain/value-object/target-date.ts";
import {
  checkSource,
  expandSource,
  expandWithin,
  isAllowedHost,
} from "../../../src/infrastructure/loader/expand-source.ts";

const date = parseTargetDate("2024-02-29");
const expand = (source: Source, folder = "/srv/datasets") => expandSource(source, date, folder);
const pathOf = (uri: string, more: Partial<Source> = {}, folder?: string) =>
  expand({ uri, ...more }, folder).map((address) => (address.scheme === "file" ? address.path : address));

function refusal(source: Source): string {
  try {
    checkSource(source);
  } catch (error) {
    expect(error).toBeInstanceOf(BadRequest);
    return String(error);
  }
  return "nothing was refused";
}

describe("expandSource", () => {
  it.each([
    ["file:./in/{date}.csv", "/srv/datasets/in/2024-02-29.csv"],
    ["file:in/{date}.csv", "/srv/datasets/in/2024-02-29.csv"],
    ["file:../{yyyy}/{mm}/{dd}.csv", "/srv/2024/02/29.csv"],
    ["file:/data/{date}.csv", "/data/2024-02-29.csv"],
    ["file:///data/{date}.csv", "/data/2024-02-29.csv"],
    ["file://localhost/data/{date}.csv", "/data/2024-02-29.csv"],
    ["FILE:/data/{date}.csv", "/data/2024-02-29.csv"],
    ["file:/trip data/a+b?#[1]*-100%-{date}.csv", "/trip data/a+b?#[1]*-100%-2024-02-29.csv"],
    ["file:///trip%20data/%7Bx%7D-{date}.csv", "/trip data/{x}-2024-02-29.csv"],
    ["file:/Köln/{date}.csv", "/Köln/2024-02-29.csv"],
  ])("%s lies at %s", (uri, path) => {
    expect(pathOf(uri)).toEqual([path]);
  });

  it("gives addresses that expand to themselves", () => {
    const uri = [
      "file:./a b/%25#?{date}.csv",
      "https://data.example/a b?d={date}&q=%20ü#part",
      "s3://bucket/a b/%25#?{date}&ü.csv",
    ];
    const addresses = expand({ uri }).map((address) => address.href);
    expect(expand({ uri: addresses }).map((address) => address.href)).toEqual(addresses);
  });

  it("takes what is special in the folder of the definition for itself, even with glob", () => {
    expect(pathOf("file:./{date}-*.csv", { glob: true }, "/srv/[x]*")).toEqual(["/srv/[[]x][*]/2024-02-29-*.csv"]);
  });

  it("keeps the query of an http address and drops its fragment", () => {
    const [address] = expand({ uri: "https://Data.Example:443/v1/{date}?day={dd}#top" });
    expect(address?.href).toBe("https://data.example/v1/2024-02-29?day=29");
  });

  it.each([
    ["s3://my.bucket-1/in/{yyyy}/{date}.csv", "my.bucket-1", "in/2024/2024-02-29.csv"],
    ["s3://in-{yyyy}/{dd}", "in-2024", "29"],
    ["S3://bucket/A?b#c d+%20%zz/e%2F..f/ü@x:1", "bucket", "A?b#c d+%20%zz/e%2F..f/ü@x:1"],
    ["s3://bucket/.../~[a]*", "bucket", ".../~[a]*"],
  ])("takes the key of %s to the letter", (uri, bucket, key) => {
    expect(expand({ uri })).toEqual([{ scheme: "s3", href: `s3://${bucket}/${key}`, bucket, key }]);
  });

  it("keeps addresses of three schemes apart, each once, in their order", () => {
    const uri = ["s3://bucket/{date}", "file:./{date}", "https://a.example/{date}", "S3://bucket/2024-02-29"];
    expect(expand({ uri, secret: "TOKEN" }).map(({ scheme }) => scheme)).toEqual(["s3", "file", "http"]);
  });

  it("gives a loader addresses of its scheme only", () => {
    const only = (uri: string) => expandWithin("s3", { source: { uri }, date, folder: "/" });
    expect(only("s3://bucket/{date}")).toMatchObject([{ key: "2024-02-29" }]);
    expect(() => only("https://a.example/{date}")).toThrow(/source\.uri must start with s3:.*https/);
  });
});

describe("checkSource", () => {
  const fine = "https://data.example/{date}.csv";
  const sha256 = "0".repeat(64);

  it.each<[string, Source]>([
    ["a plain source", { uri: fine }],
    ["a year in the path", { uri: "file:/data/{yyyy}.csv" }],
    ["the host in the list", { uri: fine, allowedHosts: ["DATA.example:443", "cdn.example:8443"] }],
    ["one host with a secret", { uri: [fine, "file:./{date}.csv"], secret: "DATA_TOKEN" }],
    ["a checksum", { uri: fine, sha256 }],
    [
      "s3 beside hosts and a secret of http",
      { uri: ["s3://bucket/{date}", fine], allowedHosts: ["data.example"], secret: "T" },
    ],
  ])("accepts %s", (_, source) => {
    expect(() => checkSource(source)).not.toThrow();
  });

  it.each<[string, Source, RegExp]>([
    ["no address", { uri: [] }, /source\.uri/],
    ["an unknown placeholder", { uri: "file:./{date}-{hour}.csv" }, /source\.uri.*\{hour\}/],
    ["an upper-case placeholder", { uri: "file:./{DATE}.csv" }, /source\.uri/],
    ["a lone brace", { uri: "file:./{date}}.csv" }, /source\.uri.*%7D/],
    ["a lone brace in a key", { uri: "s3://bucket/{date}}.csv" }, /source\.uri.*matched by \? with glob/],
    ["s3: without slashes", { uri: "s3:bucket/{date}" }, /source\.uri must name a bucket after s3:\/\//],
    ["s3: without a bucket", { uri: "s3:///{date}" }, /source\.uri must name a bucket/],
    ["a bucket in capitals", { uri: "s3://Bucket/{date}" }, /source\.uri must name a bucket.*lower-case/],
    ["a bucket of two letters", { uri: "s3://ab/{date}" }, /source\.uri must name a bucket/],
    ["a bucket with two dots", { uri: "s3://a..b/{date}" }, /source\.uri must name a bucket/],
    ["an IP address for a bucket", { uri: "s3://10.0.0.1/{date}" }, /source\.uri must name a bucket/],
    ["a bucket with a port", { uri: "s3://bucket:9000/{date}" }, /source\.uri must name a bucket.*port/],
    ["an escape in a bucket", { uri: "s3://buck%65t/{date}" }, /source\.uri must name a bucket/],
    ["a bucket without a key", { uri: "s3://bucket" }, /source\.uri must be s3:\/\/bucket\/key.*empty/],
    ["an empty key", { uri: "s3://bucket/" }, /source\.uri.*key must not be empty/],
    ["a folder for a key", { uri: "s3://bucket/{date}/" }, /source\.uri.*no part that is empty/],
    ["two slashes in a key", { uri: "s3://bucket//{date}" }, /source\.uri.*no part that is empty/],
    ["a dot for a part of a key", { uri: "s3://bucket/./{date}" }, /source\.uri.*no part that is/],
    ["two dots for a part of a key", { uri: "s3://bucket/a/../{date}" }, /source\.uri.*no part that is/],
    ["a line end in a key", { uri: "s3://bucket/a\n{date}" }, /source\.uri.*control characters/],
    ["half a character in a key", { uri: "s3://bucket/\ud800{date}" }, /source\.uri.*control characters/],
    ["a key that is too long", { uri: `s3://bucket/${"ü".repeat(510)}{date}` }, /source\.uri.*1024 bytes/],
    [
      "a secret for s3",
      { uri: ["s3://bucket/{date}", "file:./a"], secret: "T" },
      /source\.secret.*AWS's own variables/,
    ],
    ["ftp:", { uri: "ftp://data.example/{date}.csv" }, /source\.uri must start with file:/],
    ["no scheme", { uri: "./{date}.csv" }, /source\.uri must start with file:/],
    ["an http address without a host", { uri: "http:///{date}" }, /source\.uri/],
    ["an http address without slashes", { uri: "http:data.example/{date}" }, /source\.uri/],
    ["a file on another machine", { uri: "file://server/{date}.csv" }, /source\.uri.*this machine/],
    ["a NUL in a path", { uri: "file:./{date}%00.csv" }, /source\.uri/],
    ["an empty path", { uri: ["file:", fine] }, /source\.uri/],
    ["a short checksum", { uri: fine, sha256: "abc" }, /source\.sha256/],
    ["a checksum for two files", { uri: [fine, "file:./{date}"], sha256 }, /source\.sha256/],
    ["a host that is not in the list", { uri: fine, allowedHosts: ["cdn.example"] }, /allowedHosts.*data\.example/],
    ["a pattern in the list", { uri: fine, allowedHosts: ["data.example", "*.example"] }, /source\.allowedHosts/],
    ["an address in the list", { uri: fine, allowedHosts: ["https://data.example"] }, /source\.allowedHosts/],
    ["two hosts with one secret", { uri: [fine, "http://b.example/{date}"], secret: "T" }, /secret.*b\.example/],
  ])("refuses %s", (_, source, message) => {
    expect(refusal(source)).toMatch(message);
  });

  it.each([
    "https://me:hunter2@data.example/{date}",
    "https://me:hunter2@data.example/{hour}",
    "https://me:hunter2@/{date}",
    "http:me:hunter2@data.example/{date}",
    "ftp://me:hunter2@data.example/{date}",
    "s3://me:hunter2@bucket/{date}",
    "s3://me:hunter2@bucket/{hour}",
    "s3://me:hunt/hunter2@bucket//{date}",
    "https://me:{hunter2}@data.example/{date}",
    "https://me:hunter2@data.example/fixed",
  ])("refuses a password without repeating it: %s", (uri) => {
    expect(refusal({ uri })).toMatch(/source\.uri/);
    expect(refusal({ uri })).not.toContain("hunter2");
  });

  it("refuses the secret itself in place of its variable without repeating it", () => {
    expect(refusal({ uri: fine, secret: "Bearer abc.def" })).toMatch(/source\.secret/);
    expect(refusal({ uri: fine, secret: "Bearer abc.def" })).not.toContain("abc");
  });
});

describe("isAllowedHost", () => {
  it.each([
    ["https://a.example/x", "a.example:443", true],
    ["http://a.example/x", "a.example:80", true],
    ["http://a.example/x", "a.example:443", false],
    ["http://a.example:8080/x", "a.example", false],
    ["http://A.EXAMPLE:8080/x", "a.example:8080", true],
    ["http://b.a.example/x", "a.example", false],
    ["http://[::1]:9/x", "[::1]:9", true],
  ])("%s with %s in the list: %s", (address, host, allowed) => {
    expect(isAllowedHost(new URL(address), ["other.example", host])).toBe(allowed);
  });
});
