import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { registerHooks } from "node:module";
import { dirname, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const packageName = "polars-analysis-service";
const serviceFile = new URL("../../wiring.ts", import.meta.url).href;

/** The modules of definitions as they were loaded: who imports what, and the sha256 of each source. */
const imports = new Map<string, Set<string>>();
const sources = new Map<string, string>();
let watching = false;

/**
 * Imports the module of a definition, which may import the service by its name without a `node_modules` of its own.
 * @param file an absolute path
 * @returns its exports, and a sha256 over its source and that of every local module that it imports, by relative path
 */
export async function importDefinition(
  file: string,
): Promise<{ readonly exports: { readonly default?: unknown }; readonly digest: string }> {
  watchImports();
  const path = await realpath(file);
  const exports = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  return { exports, digest: moduleDigest(path) };
}

function watchImports(): void {
  if (watching) return;
  watching = true;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const ours = specifier === packageName || specifier.startsWith(`${packageName}/`);
      const resolved = nextResolve(specifier, ours ? { ...context, parentURL: serviceFile } : context);
      if (context.parentURL !== undefined && isDefinition(context.parentURL) && isDefinition(resolved.url)) {
        const known = imports.get(withoutQuery(context.parentURL)) ?? new Set();
        imports.set(withoutQuery(context.parentURL), known.add(withoutQuery(resolved.url)));
      }
      // Node would look for a package.json to learn what kind of module this is, and warn when there is none.
      return isDefinition(resolved.url) && /\.ts(?:\?|$)/.test(resolved.url)
        ? { ...resolved, format: "module-typescript" }
        : resolved;
    },
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (isDefinition(url) && loaded.source !== null && loaded.source !== undefined) {
        sources.set(withoutQuery(url), createHash("sha256").update(bytesOf(loaded.source)).digest("hex"));
      }
      return loaded;
    },
  });
}

function moduleDigest(path: string): string {
  const found = new Set([pathToFileURL(path).href]);
  for (const url of found) for (const imported of imports.get(url) ?? []) found.add(imported);
  const folder = dirname(path);
  const lines = [...found].map((url) => {
    const sha256 = sources.get(url);
    if (sha256 === undefined) throw new Error(`the source of ${url} was not seen when it was loaded`);
    return `${relative(folder, fileURLToPath(url)).split(sep).join("/")} ${sha256}`;
  });
  return createHash("sha256").update(lines.toSorted().join("\n")).digest("hex");
}

/** A local file that is no part of an installed package or of the service. */
function isDefinition(url: string): boolean {
  if (!url.startsWith("file:")) return false;
  const path = fileURLToPath(withoutQuery(url));
  const service = fileURLToPath(new URL("../../", import.meta.url));
  return !path.includes(`${sep}node_modules${sep}`) && !path.startsWith(service) && !isEntryPoint(path);
}

function isEntryPoint(path: string): boolean {
  return process.argv[1] === path;
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, "");
}

function bytesOf(source: string | NodeJS.ArrayBufferView | ArrayBuffer): string | Uint8Array {
  if (typeof source === "string") return source;
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
}
