import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import type { ObjectStore } from "../../src/infrastructure/store/object-store.ts";
import { createS3Client } from "../../src/infrastructure/store/s3-client.ts";
import { openS3ObjectStore, type S3StoreOptions } from "../../src/infrastructure/store/s3-object-store.ts";
import type { S3Access } from "./s3-servers.ts";

/** An empty store below a prefix of its own. */
export function openTestStore(
  { endpoint, accessKeyId, secretAccessKey, bucket }: S3Access,
  options: Partial<S3StoreOptions> = {},
): Promise<ObjectStore & Disposable> {
  const credentials = { accessKeyId, secretAccessKey };
  return openS3ObjectStore({
    client: createS3Client({ endpoint, region: "us-east-1", pathStyle: true, credentials }),
    bucket,
    prefix: `test-${randomUUID()}`,
    scratchFolder: tmpdir(),
    singlePutBytes: 5 * 2 ** 30,
    ...options,
  });
}

/** Settings of the service's entry points for a store below a prefix of its own. */
export function s3Environment({ endpoint, accessKeyId, secretAccessKey, bucket }: S3Access): NodeJS.ProcessEnv {
  return {
    STORE_URL: `s3://${bucket}/service-${randomUUID()}`,
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
}
