import { printJson } from "../presenter/json-presenter.ts";
import { aborted } from "../stop-requested.ts";
import type { CliServices, CliStreams, Development } from "./cli-services.ts";

/** Serves until the signal; everything that was started is gone afterwards. */
export async function dev(
  services: CliServices,
  json: boolean,
  streams: CliStreams,
  signal: AbortSignal,
): Promise<void> {
  await using development = await services.dev((sentence) => streams.err(`${sentence}\n`));
  const { address, uiUrl, apiUrl, storeUrl } = development;
  streams.out(json ? `${printJson({ address, uiUrl, apiUrl, storeUrl })}\n` : describe(development));
  await Promise.race([aborted(signal), development.failed]);
  streams.err("stopping\n");
}

function describe({ address, uiUrl, apiUrl, dbFile, storeUrl }: Development): string {
  const elsewhere = address === "127.0.0.1:7233" ? "" : `TEMPORAL_ADDRESS=${address} `;
  return `
  Temporal   ${address}
  Runs       ${uiUrl}/namespaces/default/workflows
  API        ${apiUrl}
  Results    ${storeUrl}
  Database   ${dbFile}

Start a run from another terminal:
  ${elsewhere}npm run analysis -- submit flights 2013-02-05
  ${elsewhere}temporal workflow start --type runAnalysis --task-queue analysis --workflow-id analysis/flights/2013-02-05 \\
    --input '{"dataset":"flights","date":"2013-02-05"}'
  curl -X POST ${apiUrl}/v1/runs -H 'content-type: application/json' -d '{"dataset":"flights","date":"2013-02-05"}'

Ctrl-C stops all of it.
`;
}
