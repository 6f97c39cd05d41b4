import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Source } from "../../domain/model/dataset-definition.ts";
import { BadRequest } from "../../domain/model/failure.ts";
import { parseTargetDate, type TargetDate } from "../../domain/value-object/target-date.ts";
import { parseS3Address, type S3Address } from "./s3-address.ts";
import { shown } from "./shown-address.ts";

/** `href` is what people see, and expands to itself. With `glob` a path and a key are patterns. */
export type Address =
  | { readonly scheme: "file"; readonly href: string; readonly path: string }
  | { readonly scheme: "http"; readonly href: string; readonly url: URL }
  | ({ readonly scheme: "s3" } & S3Address);

/**
 * The absolute addresses that a source has on a date, each once, in the order of `uri`. No two parts of the service
 * expand a template in another way.
 *
 * Placeholders are `{date}`, `{yyyy}`, `{mm}`, `{dd}`. What follows `file:` is a path: percent escapes are decoded, `?`
 * and `#` stand for themselves, and a relative one starts at `folder`. What follows `s3://bucket/` is a key, to the letter.
 * With `glob` a path and a key are patterns; a character that is none is written `[*]`. An http address loses its
 * fragment and keeps its query.
 * @throws BadRequest naming the field, when an address or what the source says beside it is not allowed
 */
export function expandSource(source: Source, date: TargetDate, folder: string): readonly Address[] {
  const start = source.glob === true ? folder.replaceAll(/[*?[]/g, "[$&]") : folder;
  const all = templatesOf(source).map((template) => addressOf(fill(template, date), start));
  if (all.length === 0) throw new BadRequest("source.uri must name at least one address, got none");
  const addresses = [...new Map(all.map((address) => [address.href, address])).values()];
  checkFields(source, addresses);
  return addresses;
}

/**
 * The addresses of a source that has no others, as the loader of one scheme is given it.
 * @throws BadRequest as `expandSource` does, and for an address of another scheme
 */
export function expandWithin<S extends Address["scheme"]>(
  scheme: S,
  { source, date, folder }: { readonly source: Source; readonly date: TargetDate; readonly folder: string },
): readonly Extract<Address, { scheme: S }>[] {
  return expandSource(source, date, folder).map((address) => {
    if (isOf(scheme, address)) return address;
    throw new BadRequest(`source.uri must start with ${scheme}: here, got ${shown(address.href)}`);
  });
}

function isOf<S extends Address["scheme"]>(scheme: S, address: Address): address is Extract<Address, { scheme: S }> {
  return address.scheme === scheme;
}

/**
 * What can be said of a source before any date is known; meant for the start of the service.
 * @throws BadRequest as `expandSource` does
 */
export function checkSource(source: Source): void {
  expandSource(source, parseTargetDate("2000-01-02"), "/");
}

/** The hosts that the addresses of a source and their redirects may name, with the port where it is not the usual one. */
export function allowedHosts(source: Source, addresses: readonly Address[]): readonly string[] {
  return source.allowedHosts ?? httpHosts(addresses);
}

/** Whether the host is in the list. The usual port of the scheme may be written or not. */
export function isAllowedHost(address: URL, hosts: readonly string[]): boolean {
  return hosts.some((host) => URL.parse(`${address.protocol}//${host}`)?.host === address.host);
}

function templatesOf(source: Source): readonly string[] {
  return typeof source.uri === "string" ? [source.uri] : source.uri;
}

function fill(template: string, date: TargetDate): string {
  const [yyyy, mm, dd] = date.split("-");
  const values: Readonly<Record<string, string | undefined>> = {
    "{date}": date,
    "{yyyy}": yyyy,
    "{mm}": mm,
    "{dd}": dd,
  };
  return template.replaceAll(/\{[^{}]*\}|[{}]/g, (found) => {
    const value = values[found];
    if (value !== undefined) return value;
    const brace = /^s3:/i.test(template) ? "matched by ? with glob" : "written %7B or %7D";
    throw new BadRequest(
      `source.uri knows {date}, {yyyy}, {mm} and {dd}, got ${shown(template)}; a brace itself is ${brace}`,
    );
  });
}

function addressOf(text: string, folder: string): Address {
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(text)?.[0].toLowerCase();
  switch (scheme) {
    case "file:": {
      const path = resolve(folder, filePath(text));
      return { scheme: "file", href: pathToFileURL(path).href, path };
    }
    case "http:":
    case "https:": {
      const url = httpAddress(text);
      return { scheme: "http", href: url.href, url };
    }
    case "s3:":
      return { scheme: "s3", ...parseS3Address(text) };
    default:
      throw new BadRequest(`source.uri must start with file:, http:, https: or s3:, got ${shown(text)}`);
  }
}

function filePath(text: string): string {
  const path = text.slice("file:".length).replace(/^\/\/(?:localhost)?(?=\/)/i, "");
  if (path.startsWith("//")) {
    throw new BadRequest(`source.uri must name a file of this machine, got a host in ${shown(text)}`);
  }
  const decoded = decodePath(path);
  if (decoded === undefined || decoded === "" || decoded.includes("\0")) {
    throw new BadRequest(`source.uri must name a path after file:, got ${shown(text)}`);
  }
  return decoded;
}

function decodePath(path: string): string | undefined {
  try {
    return decodeURIComponent(path.replaceAll(/%(?![0-9a-f]{2})/gi, "%25"));
  } catch {
    return undefined;
  }
}

function httpAddress(text: string): URL {
  const address = URL.parse(text);
  if (address === null || !/^https?:\/\/[^/\\]/i.test(text)) {
    throw new BadRequest(`source.uri must be an http address with a host, got ${shown(text)}`);
  }
  if (address.username !== "" || address.password !== "") {
    throw new BadRequest(
      `source.uri must hold no user and no password, got some for ${address.host}; use source.secret`,
    );
  }
  address.hash = "";
  return address;
}

function checkFields(source: Source, addresses: readonly Address[]): void {
  if (source.sha256 !== undefined) {
    if (!/^[0-9a-f]{64}$/i.test(source.sha256)) {
      throw new BadRequest(`source.sha256 must be 64 hex digits, got ${JSON.stringify(source.sha256)}`);
    }
    if (addresses.length > 1) {
      throw new BadRequest(`source.sha256 is of one file, source.uri names ${addresses.length}`);
    }
  }
  for (const host of source.allowedHosts ?? []) {
    if (!/^[^\s/?#@*\\]+$/.test(host) || !URL.canParse(`https://${host}`)) {
      throw new BadRequest(
        `source.allowedHosts must hold hosts such as "data.example" or "data.example:8443", got ${shown(host)}`,
      );
    }
  }
  const hosts = httpHosts(addresses);
  const allowed = allowedHosts(source, addresses);
  const strange = httpUrls(addresses).find((url) => !isAllowedHost(url, allowed));
  if (strange !== undefined)
    throw new BadRequest(`source.allowedHosts must name ${strange.host}, which source.uri names`);
  if (source.secret === undefined) return;
  checkSecret(source.secret, hosts);
  if (hosts.length === 0 && addresses.some(({ scheme }) => scheme === "s3")) {
    throw new BadRequest(
      "source.secret is for http addresses; s3: addresses use the credentials of AWS's own variables",
    );
  }
}

function checkSecret(secret: string, hosts: readonly string[]): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(secret)) {
    throw new BadRequest("source.secret must be the name of an environment variable, never the secret itself");
  }
  if (hosts.length > 1) {
    throw new BadRequest(`source.secret is sent to one host, source.uri names ${hosts.join(", ")}`);
  }
}

function httpHosts(addresses: readonly Address[]): readonly string[] {
  return [...new Set(httpUrls(addresses).map(({ host }) => host))];
}

function httpUrls(addresses: readonly Address[]): readonly URL[] {
  return addresses.flatMap((address) => (address.scheme === "http" ? [address.url] : []));
}
