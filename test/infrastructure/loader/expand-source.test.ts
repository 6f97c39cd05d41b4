import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Source } from "../../../src/domain/model/dataset-definition.ts";
import { BadRequest } from "../../../src/domain/model/failure.ts";
import { parseTargetDate } from "../../../src/domain/value-object/target-date.ts";
import { checkSource, expandSource, isAllowedHost } from "../../../src/infrastructure/loader/expand-source.ts";

const date = parseTargetDate("2024-02-29");
const expand = (source: Source, folder = "/srv/datasets") => expandSource(source, date, folder);
const pathOf = (uri: string, more: Partial<Source> = {}, folder?: string) =>
  expand({ uri, ...more }, folder).map((address) => fileURLToPath(address));

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
    const uri = ["file:./a b/%25#?{date}.csv", "https://data.example/a b?d={date}&q=%20ü#part"];
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
  ])("accepts %s", (_, source) => {
    expect(() => checkSource(source)).not.toThrow();
  });

  it.each<[string, Source, RegExp]>([
    ["no address", { uri: [] }, /source\.uri/],
    ["an unknown placeholder", { uri: "file:./{date}-{hour}.csv" }, /source\.uri.*\{hour\}/],
    ["an upper-case placeholder", { uri: "file:./{DATE}.csv" }, /source\.uri/],
    ["a lone brace", { uri: "file:./{date}}.csv" }, /source\.uri.*%7D/],
    ["s3:", { uri: "s3://bucket/{date}.csv" }, /source\.uri.*s3:.*store setting/],
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
