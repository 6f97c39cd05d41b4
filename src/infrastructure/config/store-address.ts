/** Where STORE_URL points to. */
export type StoreAddress =
  | { readonly kind: "file"; readonly folder: string }
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string };

export const storeAddressHint =
  "must be file:<folder> or s3://<bucket>/<prefix>, such as file:./data, file:///srv/data or s3://analysis/prod";

/** Nothing for a text that is no address of a store. A prefix may be absent; no part of it is empty, `.` or `..`. */
export function parseStoreAddress(text: string): StoreAddress | undefined {
  const folder = /^file:(?:\/\/(?=\/))?(?!\/\/)(.+)$/.exec(text)?.[1];
  if (folder !== undefined) return { kind: "file", folder };
  const [, bucket, rest = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text) ?? [];
  const prefix = rest.replace(/\/$/, "");
  if (bucket === undefined || !/^(?:[\w=.-]+(?:\/[\w=.-]+)*)?$/.test(prefix)) return undefined;
  if (prefix.split("/").some((part) => part === "." || part === "..")) return undefined;
  return { kind: "s3", bucket, prefix };
}
