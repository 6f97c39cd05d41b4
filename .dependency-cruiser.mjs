import { Visitor } from "@swc/core/Visitor.js";

// TypeScript 7 has no API that dependency-cruiser can use, so swc reads the sources (`parser` below).
// swc's visitor throws at `using` and passes over types: both are added here, so that no import stays unseen.
const { visitModule, visitStatement } = Visitor.prototype;
Visitor.prototype.visitStatement = function (node) {
  if (node.type !== "UsingDeclaration") return visitStatement.call(this, node);
  this.visitVariableDeclarators(node.decls);
  return node;
};
Visitor.prototype.visitModule = function (module) {
  for (const argument of typeImports(module)) this.visitTsTypeAnnotation({ typeAnnotation: { argument } });
  return visitModule.call(this, module);
};

/** The module names of all `import("…").Type` in a syntax tree. */
function* typeImports(node) {
  if (node === null || typeof node !== "object") return;
  if (node.type === "TsImportType") yield node.argument;
  for (const child of Object.values(node)) yield* typeImports(child);
}

const TYPES = ["type-only", "type-import"];
const POLARS = "(^|/)node_modules/nodejs-polars/";
/** What a workflow, an activity and an edge may use at run time: plain TypeScript without Polars. */
const PLAIN_DOMAIN = "^src/domain/(value-object/|model/failure\\.ts$|service/retry-service\\.ts$)";
const ENTRY_POINTS = "^src/main-[^/]+\\.ts$";

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    {
      name: "domain-knows-only-polars",
      comment:
        "The domain imports itself and nodejs-polars: declare a port in src/usecase/ports/output and implement it in src/infrastructure.",
      severity: "error",
      from: { path: "^src/domain/" },
      to: { pathNot: ["^src/domain/", POLARS], dependencyTypesNot: ["core"] },
    },
    {
      name: "domain-has-no-node",
      comment:
        "The domain has no I/O, no clock and no environment, so no Node module either: take the value as a parameter and let the use case or an adapter obtain it.",
      severity: "error",
      from: { path: "^src/domain/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "plain-domain-stays-plain",
      comment:
        "Workflows and edges load this file, so Polars must not come along: import types only, or move the calculation to another file of src/domain/service.",
      severity: "error",
      from: { path: PLAIN_DOMAIN },
      to: { pathNot: PLAIN_DOMAIN, dependencyTypesNot: TYPES },
    },
    {
      name: "polars-stays-inside",
      comment:
        "Polars belongs to src/domain and src/usecase: move the calculation into a domain service and pass a reference (URI, size, checksum) here, never a frame.",
      severity: "error",
      from: { pathNot: "^(src/domain|src/usecase|datasets|test|bench)/" },
      to: { path: [POLARS, "^src/domain/public\\.ts$"] },
    },
    {
      name: "usecase-knows-no-technology",
      comment:
        "A use case imports the domain and its own ports: describe what it needs as a port in src/usecase/ports/output and let src/wiring.ts hand in the adapter.",
      severity: "error",
      from: { path: "^src/usecase/" },
      to: { pathNot: ["^src/(domain|usecase)/", POLARS, "^(node:)?path(/posix)?$"] },
    },
    {
      name: "edges-take-types",
      comment:
        "An edge gets its use cases handed in by src/wiring.ts: use `import type` for ports and DTOs; by value only src/domain/value-object, model/failure.ts and service/retry-service.ts.",
      severity: "error",
      from: { path: "^(src/interface|activities)/" },
      to: { path: "^src/(domain|usecase)/", pathNot: PLAIN_DOMAIN, dependencyTypesNot: TYPES },
    },
    {
      name: "interface-knows-no-infrastructure",
      comment:
        "An edge never meets an adapter: declare what it needs as a port in src/usecase/ports and let src/wiring.ts hand the adapter in.",
      severity: "error",
      from: { path: "^src/interface/" },
      to: { path: "^src/infrastructure/" },
    },
    {
      name: "infrastructure-behind-wiring",
      comment:
        "Only src/wiring.ts and src/main-*.ts build adapters: depend on the port and let wiring hand the adapter in.",
      severity: "error",
      from: {
        pathNot: ["^src/(infrastructure|interface)/", "^src/wiring\\.ts$", ENTRY_POINTS, "^(test|bench|scripts)/"],
      },
      to: { path: "^src/infrastructure/" },
    },
    {
      name: "wiring-is-the-root",
      comment:
        "src/wiring.ts and src/main-*.ts stand outside of everything: only an entry point uses wiring, and nothing uses an entry point; take what you need as a parameter.",
      severity: "error",
      from: { pathNot: [ENTRY_POINTS, "^(test|bench|notebooks)/"] },
      to: { path: ["^src/wiring\\.ts$", ENTRY_POINTS] },
    },
    {
      name: "workflows-stay-deterministic",
      comment:
        "A workflow runs in Temporal's sandbox: reach the world through proxyActivities with `import type`; by value only @temporalio/workflow, workflows/ and the Polars-free domain values.",
      severity: "error",
      from: { path: "^workflows/" },
      to: {
        pathNot: ["^workflows/", PLAIN_DOMAIN, "(^|/)node_modules/@temporalio/workflow/"],
        dependencyTypesNot: TYPES,
      },
    },
    {
      name: "datasets-import-the-service-only",
      comment:
        "A definition imports polars-analysis-service (defineDataset, the checks, pl) and other files of datasets/: what is missing belongs in src/domain/public.ts.",
      severity: "error",
      from: { path: "^datasets/" },
      // "undetermined" is dependency-cruiser's word for the package's own name; a relative path is "local".
      to: { pathNot: "^datasets/", dependencyTypesNot: ["undetermined"] },
    },
    {
      name: "nothing-imports-tests",
      comment: "Tests are not part of the service: move what is shared to the layer that owns it.",
      severity: "error",
      from: { pathNot: "^(test|bench)/" },
      to: { path: "^test/" },
    },
    {
      name: "nothing-imports-notebooks",
      comment: "Notebooks are temporary and can be deleted at any time: move the code to the layer that owns it.",
      severity: "error",
      from: { pathNot: "^notebooks/" },
      to: { path: "^notebooks/" },
    },
    {
      name: "no-cycles",
      comment:
        "These files load each other: move what they share to a third file, or use `import type` where only a type is needed.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: TYPES } },
    },
    {
      name: "no-unresolved",
      comment: "Nothing is found under this name: correct the path (with its .ts), or add the package to package.json.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "declared-packages-only",
      comment:
        "The service is installed from `dependencies` alone: add the package there with its exact version, or use `import type` where only a type is needed.",
      severity: "error",
      from: { path: "^(src|workflows|activities|datasets)/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg"],
        dependencyTypesNot: TYPES,
        pathNot: "(^|/)node_modules/@types/",
      },
    },
    {
      name: "no-barrels",
      comment:
        "Import from the file that defines it and delete the re-export; only workflows/index.ts and src/domain/public.ts re-export.",
      severity: "error",
      from: { pathNot: ["^workflows/index\\.ts$", "^src/domain/public\\.ts$"] },
      to: { dependencyTypes: ["export"] },
    },
    {
      name: "no-index-files",
      comment: "Name the file after its main export: only workflows/index.ts is an index.",
      severity: "error",
      module: {
        path: "(^|/)index\\.[cm]?[jt]s$",
        pathNot: ["^workflows/index\\.ts$", "(^|/)node_modules/"],
        numberOfDependentsLessThan: 100,
      },
      from: {},
    },
  ],
  options: {
    parser: "swc",
    doNotFollow: { path: "(^|/)node_modules(/|$)" },
    exclude: { path: "^(data|build|\\.temporal|\\.git)(/|$)" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "types", "default"] },
  },
};
