import type { DatasetLoader, LoadRequest } from "../../usecase/ports/output/dataset-loader.ts";
import { allowedHosts, expandSource } from "./expand-source.ts";

type Loaders = { readonly file: DatasetLoader; readonly http: DatasetLoader };
type Part = { readonly loader: DatasetLoader; readonly request: LoadRequest };

/**
 * Gives each address of a source to the loader of its scheme. The inputs keep the order of the addresses, and a source of
 * one scheme goes to its loader as a whole.
 */
export function createRoutingDatasetLoader(loaders: Loaders): DatasetLoader {
  return {
    inspect: (whole, previous, signal) =>
      inTurn(whole, ({ loader, request }) => loader.inspect(request, previous, signal)),
    load: (whole, inspected, signal) => inTurn(whole, ({ loader, request }) => loader.load(request, inspected, signal)),
    async verify(inputs, signal) {
      const { inPlace = [], staged = [] } = Object.groupBy(inputs, ({ location }) =>
        location.startsWith("file:") ? "inPlace" : "staged",
      );
      await loaders.file.verify(inPlace, signal);
      await loaders.http.verify(staged, signal);
    },
  };

  async function inTurn<T>(request: LoadRequest, work: (part: Part) => Promise<readonly T[]>): Promise<readonly T[]> {
    const inputs: T[] = [];
    for (const part of partsOf(request)) inputs.push(...(await work(part)));
    return inputs;
  }

  /** Neighbours of one scheme stay together; each part is told the hosts of the whole. */
  function partsOf(request: LoadRequest): readonly Part[] {
    const addresses = expandSource(request.source, request.date, request.folder);
    const groups: URL[][] = [];
    for (const address of addresses) {
      const last = groups.at(-1);
      if (last !== undefined && isFile(last[0]) === isFile(address)) last.push(address);
      else groups.push([address]);
    }
    return groups.map((group) => {
      const hosts = isFile(group[0]) ? {} : { allowedHosts: allowedHosts(request.source, addresses) };
      const source = { ...request.source, ...hosts, uri: group.map((address) => address.href) };
      return { loader: isFile(group[0]) ? loaders.file : loaders.http, request: { ...request, source } };
    });
  }
}

function isFile(address: URL | undefined): boolean {
  return address?.protocol === "file:";
}
