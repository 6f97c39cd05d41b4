import type { Client } from "@temporalio/client";
import { StoreUnavailable } from "../../domain/model/failure.ts";
import { runAttributes } from "../../domain/value-object/run-identity.ts";

/** temporal.api.enums.v1.IndexedValueType: INDEXED_VALUE_TYPE_KEYWORD. */
const keyword = 2;
const wanted = Object.values(runAttributes);

/** Names of the attributes that the namespace lacks. @throws StoreUnavailable when one has another type */
async function missingSearchAttributes(client: Client): Promise<readonly string[]> {
  const { namespace } = client.options;
  const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
  for (const name of wanted) {
    const type = customAttributes[name];
    if (type !== undefined && type !== keyword) {
      throw new StoreUnavailable(
        `the search attribute ${name} of the namespace ${namespace} must be a Keyword, it has another type (${type})`,
      );
    }
  }
  return wanted.filter((name) => customAttributes[name] === undefined);
}

/** Registers what is missing, and returns its names. May be called again. */
export async function registerSearchAttributes(client: Client): Promise<readonly string[]> {
  const missing = await missingSearchAttributes(client);
  if (missing.length === 0) return missing;
  const { namespace } = client.options;
  await client.connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, keyword])),
  });
  return missing;
}

/** A run makes itself findable by them, and fails where they are unknown. @throws StoreUnavailable when one is missing */
export async function requireSearchAttributes(client: Client): Promise<void> {
  const missing = await missingSearchAttributes(client);
  if (missing.length === 0) return;
  throw new StoreUnavailable(
    `the namespace ${client.options.namespace} lacks the search attributes ${missing.join(", ")}: run \`npm run analysis -- setup\``,
  );
}
