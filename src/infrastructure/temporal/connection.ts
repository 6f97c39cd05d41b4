import { Client, Connection, isGrpcServiceError, ServiceError } from "@temporalio/client";
import { NamespaceNotFoundError } from "@temporalio/common";
import { loadClientConnectConfig } from "@temporalio/envconfig";
import { BadRequest, StoreUnavailable } from "../../domain/model/failure.ts";
import { retryCalls } from "./retry-calls.ts";

const connectTimeoutMs = 5_000;

/** Address, namespace, API key and TLS, as the `temporal` CLI reads them from the environment and its config file. */
export type TemporalTarget = {
  readonly address: string;
  readonly namespace: string;
  readonly connectionOptions: NonNullable<ReturnType<typeof loadClientConnectConfig>["connectionOptions"]>;
};

/** @throws BadRequest when Temporal's variables or config file are wrong */
export function readTemporalTarget(env: NodeJS.ProcessEnv): TemporalTarget {
  try {
    const present = Object.fromEntries(
      Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
    const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars: present });
    const address = connectionOptions.address ?? "127.0.0.1:7233";
    return { address, namespace: namespace ?? "default", connectionOptions: { ...connectionOptions, address } };
  } catch (cause) {
    throw new BadRequest(`Temporal's settings cannot be read: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

/** @throws StoreUnavailable when no server answers: at once when the connection is refused, else within 5 s */
export async function connectClient(target: TemporalTarget): Promise<Client> {
  let hasAnswered = false;
  const connection = Connection.lazy({ ...target.connectionOptions, interceptors: [retryCalls(() => hasAnswered)] });
  try {
    await connection.withDeadline(Date.now() + connectTimeoutMs, () => connection.workflowService.getSystemInfo({}));
    hasAnswered = true;
    return new Client({ connection, namespace: target.namespace });
  } catch (cause) {
    await connection.close();
    throw temporalAway(target, cause);
  }
}

export function temporalAway(target: TemporalTarget, cause: unknown): StoreUnavailable {
  return new StoreUnavailable(
    `no Temporal server answers at ${target.address} (${reasonOf(cause)}): start one with \`npm run analysis -- dev\`, or set TEMPORAL_ADDRESS`,
    { cause },
  );
}

/** What a call to a connected server failed with, where the server or the network is at fault. */
export function serverFailure(error: unknown): StoreUnavailable | undefined {
  if (error instanceof ServiceError || error instanceof NamespaceNotFoundError || isGrpcServiceError(error)) {
    return new StoreUnavailable(`the Temporal server does not answer as it should: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  return undefined;
}

/** gRPC's sentence without its number and its empty notes. */
function reasonOf(error: unknown): string {
  const cause = error instanceof ServiceError && error.cause instanceof Error ? error.cause : error;
  const text = cause instanceof Error ? cause.message : String(cause);
  const [line = ""] = text.split("\n", 1);
  return line
    .replace(/^\d+ [A-Z_]+: /, "")
    .replace(/^.*Last error: (?:Error: )?/, "")
    .replace(/\.? Resolution note:.*$/, "");
}

/** Lends a connected client for the duration of the work. */
export async function withClient<T>(target: TemporalTarget, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await connectClient(target);
  try {
    return await work(client);
  } catch (error) {
    throw serverFailure(error) ?? error;
  } finally {
    await client.connection.close();
  }
}
