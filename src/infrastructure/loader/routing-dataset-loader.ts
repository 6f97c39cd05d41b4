import type { DatasetLoader, LoadRequest } from "../../usecase/ports/output/dataset-loader.ts";
import { type Address, allowedHosts, expandSource } from "./expand-source.ts";

type Loaders = Readonly<Record<Address["scheme"], DatasetLoader>>;
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
      // Staged bytes do not change.
      for (const scheme of ["file", "s3"] as const) {
        const inPlace = inputs.filter(({ location }) => location.startsWith(`${scheme}:`));
        if (inPlace.length > 0) await loaders[scheme].verify(inPlace, signal);
      }
    },
  };

  async function inTurn<T>(request: LoadRequest, work: (part: Part) => Promise<readonly T[]>): Promise<readonly T[]> {
    const inputs: T[] = [];
    for (const part of partsOf(request)) inputs.push(...(await work(part)));
    return inputs;
  }

  /** Neighbours of one scheme stay together; those of http are told the hosts of the whole, the others no secret. */
  function partsOf(request: LoadRequest): readonly Part[] {
    const addresses = expandSource(request.source, request.date, request.folder);
    const groups: { readonly scheme: Address["scheme"]; readonly uri: string[] }[] = [];
    for (const { scheme, href } of addresses) {
      const last = groups.at(-1);
      if (last?.scheme === scheme) last.uri.push(href);
      else groups.push({ scheme, uri: [href] });
    }
    const { secret: _, ...open } = request.source;
    const toHttp = { ...request.source, allowedHosts: allowedHosts(request.source, addresses) };
    return groups.map(({ scheme, uri }) => {
      const source = { ...(scheme === "http" ? toHttp : open), uri };
      return { loader: loaders[scheme], request: { ...request, source } };
    });
  }
}
