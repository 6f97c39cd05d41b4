import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, extname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const copied = [
  "src",
  "workflows",
  "activities",
  "datasets",
  "package.json",
  "tsconfig.json",
  ".dependency-cruiser.mjs",
];

/** What the offending files import, so that no wall depends on the name of a real file. */
const targets = [
  "src/domain/service/target.ts",
  "src/usecase/interactor/target.ts",
  "src/interface/target.ts",
  "src/infrastructure/target.ts",
  "src/main-target.ts",
  "activities/target.ts",
  "notebooks/target.ts",
  "test/target.ts",
];

/** A wall keeps the files of a folder from importing each of `imports`; some let types through. */
const wall = (rule: string, advice: string, types: "refused" | "allowed", folder: string, imports: readonly string[]) =>
  imports.map((name) => ({ rule, advice, types, folder, imports: name }));

const walls = [
  ...wall("domain-knows-only-polars", "declare a port in src/usecase/ports/output", "refused", "src/domain/service", [
    "../../infrastructure/target.ts",
    "../../usecase/interactor/target.ts",
    "zod",
  ]),
  ...wall("domain-has-no-node", "take the value as a parameter", "refused", "src/domain/service", [
    "node:fs",
    "node:sqlite",
    "path",
  ]),
  ...wall("plain-domain-stays-plain", "Polars must not come along", "allowed", "src/domain/value-object", [
    "nodejs-polars",
    "../service/target.ts",
  ]),
  ...wall(
    "polars-stays-inside",
    "move the calculation into a domain service",
    "refused",
    "src/infrastructure/compute",
    ["nodejs-polars"],
  ),
  ...wall("polars-stays-inside", "pass a reference (URI, size, checksum)", "refused", "activities", [
    "nodejs-polars",
    "polars-analysis-service",
  ]),
  ...wall("usecase-knows-no-technology", "describe what it needs as a port", "refused", "src/usecase/interactor", [
    "node:fs",
    "node:http",
    "@temporalio/client",
    "fastify",
    "../../infrastructure/target.ts",
    "../../interface/target.ts",
  ]),
  ...wall("edges-take-types", "gets its use cases handed in by src/wiring.ts", "allowed", "src/interface/api", [
    "../../usecase/interactor/target.ts",
    "../../domain/service/target.ts",
  ]),
  ...wall("edges-take-types", "use `import type` for ports and DTOs", "allowed", "activities", [
    "../src/usecase/interactor/target.ts",
    "../src/domain/service/target.ts",
  ]),
  ...wall("interface-knows-no-infrastructure", "An edge never meets an adapter", "refused", "src/interface/cli", [
    "../../infrastructure/target.ts",
  ]),
  ...wall("infrastructure-behind-wiring", "depend on the port", "refused", "activities", [
    "../src/infrastructure/target.ts",
  ]),
  ...wall("infrastructure-behind-wiring", "let wiring hand the adapter in", "refused", "src", [
    "./infrastructure/target.ts",
  ]),
  ...wall("wiring-is-the-root", "only an entry point uses wiring", "refused", "src/interface/job", [
    "../../main-target.ts",
  ]),
  ...wall("workflows-stay-deterministic", "reach the world through proxyActivities", "allowed", "workflows", [
    "../activities/target.ts",
    "../src/domain/service/target.ts",
    "../src/usecase/interactor/target.ts",
    "@temporalio/client",
    "node:fs",
  ]),
  ...wall("datasets-import-the-service-only", "A definition imports polars-analysis-service", "refused", "datasets", [
    "nodejs-polars",
    "node:fs",
    "../src/domain/public.ts",
    "../src/infrastructure/target.ts",
  ]),
  ...wall("nothing-imports-tests", "Tests are not part of the service", "refused", "src/infrastructure/store", [
    "../../../test/target.ts",
  ]),
  ...wall("nothing-imports-notebooks", "Notebooks are temporary", "refused", "src/interface/cli", [
    "../../../notebooks/target.ts",
  ]),
  ...wall("no-unresolved", "correct the path (with its .ts)", "refused", "src/infrastructure/store", ["./nowhere.ts"]),
  ...wall(
    "declared-packages-only",
    "add the package there with its exact version",
    "allowed",
    "src/infrastructure/store",
    ["vitest", "webpack"],
  ),
];

/** Every way to name another module; each must be seen by every wall. */
const forms = {
  value: (name: string) => `import * as it from "${name}";\nexport const value = it;\n`,
  call: (name: string) => `export class C {\n  readonly it = async () => await import("${name}");\n}\n`,
  using: (name: string) => `export async function f() {\n  using it = await import("${name}");\n  return it;\n}\n`,
  type: (name: string) => `import type * as It from "${name}";\nexport type T = typeof It;\n`,
  inlineType: (name: string) => `export type T = typeof import("${name}");\n`,
};
const typeForms: readonly string[] = ["type", "inlineType"];

const offenders = walls.flatMap((wall, index) =>
  Object.entries(forms).map(([form, write]) => ({
    ...wall,
    form,
    file: `${wall.folder}/wall-${index}-${form}.ts`,
    source: write(wall.imports),
    refused: wall.types === "refused" || !typeForms.includes(form),
  })),
);

const cycle = "export const a = 1;\nexport type T = number;\n";
/** Walls that are not about one import from one folder. */
const others: Readonly<Record<string, string>> = {
  "src/usecase/cycle/value-a.ts": `import * as b from "./value-b.ts";\nexport const it = b;\n`,
  "src/usecase/cycle/value-b.ts": `import * as a from "./value-a.ts";\nexport const it = a;\n`,
  "src/usecase/cycle/call-a.ts": `import * as b from "./call-b.ts";\nexport const it = b;\n`,
  "src/usecase/cycle/call-b.ts": `export const it = () => import("./call-a.ts");\n`,
  "src/usecase/cycle/type-a.ts": `import type { T } from "./type-b.ts";\nexport type A = T;\n${cycle}`,
  "src/usecase/cycle/type-b.ts": `import { a } from "./type-a.ts";\nexport const it = a;\n${cycle}`,
  "src/interface/barrel-names.ts": `export { target } from "./target.ts";\n`,
  "src/interface/barrel-all.ts": `export * from "./target.ts";\n`,
  "src/interface/barrel-types.ts": `export type { Target } from "./target.ts";\n`,
  "src/interface/index.ts": "export const lonely = 1;\n",
};

const allowed: Readonly<Record<string, string>> = {
  "workflows/allowed.ts": [
    `import { proxyActivities } from "@temporalio/workflow";`,
    `import type * as activities from "../activities/target.ts";`,
    `import type { T } from "../src/usecase/interactor/target.ts";`,
    `import { BadRequest } from "../src/domain/model/failure.ts";`,
    `import { parseTargetDate } from "../src/domain/value-object/target-date.ts";`,
    `export const used = [proxyActivities<typeof activities>, BadRequest, parseTargetDate];`,
    "export type U = T;",
  ].join("\n"),
  "src/interface/allowed.ts": [
    `import { BadRequest } from "../domain/model/failure.ts";`,
    `import { parseTargetDate } from "../domain/value-object/target-date.ts";`,
    `import type { T } from "../usecase/interactor/target.ts";`,
    "export const used = [BadRequest, parseTargetDate];",
    "export type U = T;",
  ].join("\n"),
  "src/usecase/allowed.ts": `import { join } from "node:path";\nimport pl from "nodejs-polars";\nexport const used = [join, pl];\n`,
  "datasets/allowed.ts": `import { defineDataset } from "polars-analysis-service";\nexport default defineDataset;\n`,
};

describe("the walls of the house", () => {
  const copy = mkdtempSync(join(tmpdir(), "walls-"));
  let untouched: Check;
  let broken: Check;

  beforeAll(() => {
    for (const name of copied.filter((name) => existsSync(join(root, name)))) {
      cpSync(join(root, name), join(copy, name), {
        recursive: true,
        filter: (path) => !path.startsWith(join(root, "datasets", "flights")) || extname(path) === ".ts",
      });
    }
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    untouched = checkWalls(copy);

    for (const file of targets) write(copy, file, "export const target = 1;\nexport type T = number;\n");
    for (const { file, source } of offenders) write(copy, file, source);
    for (const [file, source] of Object.entries({ ...others, ...allowed })) write(copy, file, source);
    broken = checkWalls(copy);
  });

  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  test("the sources as they are break no wall, and they are really read", () => {
    expect([...untouched.advice.keys()]).toEqual([]);
    expect(untouched.summary).toMatch(/no dependency violations found \([1-9]\d+ modules/);
    expect(untouched.status).toBe(0);
  });

  test("a broken wall fails the check", () => {
    expect(broken.status).toBeGreaterThan(0);
  });

  test.each(offenders.filter(({ refused }) => refused))(
    "$rule: $folder does not import $imports ($form)",
    (offender) => {
      expect(broken.advice.get(`${offender.rule}: ${offender.file}`)).toContain(offender.advice);
    },
  );

  test.each(offenders.filter(({ refused }) => !refused))(
    "$rule: $folder may use types of $imports ($form)",
    (offender) => {
      expect([...broken.advice.keys()]).not.toContain(`${offender.rule}: ${offender.file}`);
    },
  );

  test.each(["value", "call"])("no-cycles: two files do not load each other (%s)", (form) => {
    const found = [...broken.advice].filter(([key]) => key.startsWith(`no-cycles: src/usecase/cycle/${form}-`));
    expect(found.map(([, advice]) => advice).join()).toContain("move what they share to a third file");
  });

  test("no-cycles: a cycle that only types close passes", () => {
    expect([...broken.advice.keys()].filter((key) => key.includes("cycle/type-"))).toEqual([]);
  });

  test.each(["names", "all", "types"])("no-barrels: no file re-exports another (%s)", (form) => {
    const advice = broken.advice.get(`no-barrels: src/interface/barrel-${form}.ts`);
    expect(advice).toContain("Import from the file that defines it");
  });

  test("no-index-files: no file is called index, even one that nothing imports", () => {
    const advice = broken.advice.get("no-index-files: src/interface/index.ts");
    expect(advice).toContain("Name the file after its main export");
  });

  test.each(Object.keys(allowed))("%s may import what it imports", (file) => {
    expect([...broken.advice.keys()].filter((key) => key.endsWith(`: ${file}`))).toEqual([]);
  });

  test("every rule was broken here", async () => {
    const { default: config } = await import(join(root, ".dependency-cruiser.mjs"));
    const rules = new Set([...broken.advice.keys()].map((key) => key.split(":")[0]));
    for (const { name } of config.forbidden) expect(rules).toContain(name);
  });
});

interface Check {
  readonly status: number | null;
  /** "rule: file" of each error, with what was printed about it. */
  readonly advice: ReadonlyMap<string, string>;
  readonly summary: string;
}

/** Runs the command of `npm run check:walls` in a folder. */
function checkWalls(cwd: string): Check {
  const { scripts } = JSON.parse(readFileSync(join(cwd, "package.json"), "utf8"));
  const path = `${join(cwd, "node_modules/.bin")}${delimiter}${process.env["PATH"]}`;
  const { status, stdout, stderr } = spawnSync(scripts["check:walls"], {
    cwd,
    shell: true,
    encoding: "utf8",
    env: { ...process.env, PATH: path, NO_COLOR: "1", FORCE_COLOR: undefined },
    maxBuffer: 64 * 1024 * 1024,
  });
  const errors = stdout.matchAll(/^ *error ([\w-]+: \S+)(.*(?:\n(?! *error ).*)*)/gm);
  const advice = new Map([...errors].map(([, key = "", text = ""]) => [key, text.replace(/\s+/g, " ")]));
  return { status, advice, summary: `${stdout}${stderr}`.slice(-2_000) };
}

function write(folder: string, file: string, source: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), source);
}
