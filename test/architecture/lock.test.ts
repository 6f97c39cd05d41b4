import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

interface Entry {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly engines?: unknown;
  readonly optional?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = resolve(import.meta.dirname, "../..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const lock: { readonly packages: Readonly<Record<string, Entry>> } = JSON.parse(
  readFileSync(join(root, "package-lock.json"), "utf8"),
);
const entries = Object.entries(lock.packages);

describe("package-lock.json", () => {
  test("no platform package of nodejs-polars asks for a Node that npm may not run on", () => {
    const platforms = entries.filter(([name]) => name.startsWith("node_modules/nodejs-polars-"));
    expect(platforms.filter(([, { engines }]) => engines !== undefined)).toEqual([]);
  });

  test("every platform package of nodejs-polars can be installed", () => {
    const platforms = lock.packages["node_modules/nodejs-polars"]?.optionalDependencies ?? {};
    expect(Object.keys(platforms)).toContain("nodejs-polars-linux-x64-gnu");
    for (const [name, version] of Object.entries(platforms)) {
      expect(lock.packages[`node_modules/${name}`], name).toMatchObject({
        version,
        optional: true,
        integrity: expect.stringMatching(/^sha512-/),
      });
    }
  });

  test("no entry is tied to the address of a registry", () => {
    expect(entries.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });

  test("every package has a checksum", () => {
    expect(entries.filter(([name, { integrity }]) => name !== "" && integrity === undefined)).toEqual([]);
  });

  test("it belongs to package.json", () => {
    const { dependencies, devDependencies } = manifest;
    expect(lock.packages[""]).toMatchObject({ dependencies, devDependencies });
  });

  test("Temporal uses the one protobufjs at the top", () => {
    expect(lock.packages["node_modules/protobufjs"]?.version).toBe("8.8.1");
    const own = entries.filter(([name]) => /^node_modules\/@temporalio\/.*\/protobufjs$/.test(name));
    expect(own).toEqual([]);
  });
});

test("package.json names exact versions", () => {
  const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(String(version)))).toEqual([]);
});

test("scripts/clean-lock.mjs takes engines from the platform packages of nodejs-polars and changes nothing else", () => {
  const copy = mkdtempSync(join(tmpdir(), "lock-"));
  const clean = () => {
    execFileSync(process.execPath, [join(copy, "scripts/clean-lock.mjs")]);
    return readFileSync(join(copy, "package-lock.json"), "utf8");
  };
  const engines = { node: ">= 22" };
  const others = { "": { engines }, "node_modules/nodejs-polars": { engines }, "node_modules/zod": { engines } };
  const write = (platform: object) =>
    `${JSON.stringify({ packages: { ...others, "node_modules/nodejs-polars-linux-x64-gnu": platform } }, null, 2)}\n`;
  try {
    mkdirSync(join(copy, "scripts"));
    cpSync(join(root, "scripts/clean-lock.mjs"), join(copy, "scripts/clean-lock.mjs"));
    writeFileSync(join(copy, "package-lock.json"), write({ version: "1.0.0", engines, os: ["linux"] }));
    const cleaned = write({ version: "1.0.0", os: ["linux"] });
    expect(clean()).toBe(cleaned);
    expect(clean()).toBe(cleaned);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
});
