import { HeadObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { SourceUnavailable } from "../../domain/model/failure.ts";
import { s3Reason } from "./s3-client.ts";

/** The engine has no time limit for a silent server: this one is of a request, of at most 64 MiB. */
const requestTimeout = "10m";
const connectTimeout = "10s";

/**
 * What the engine needs to read objects of a bucket as the client does, with the credentials of this moment. Only texts:
 * nodejs-polars 0.25 drops all of them when one is of another type, and asks AWS instead.
 * @throws SourceUnavailable when there are no credentials or no region
 */
export async function cloudOptionsOf(client: S3Client, bucket: string): Promise<Readonly<Record<string, string>>> {
  try {
    const [endpoint, region, { accessKeyId, secretAccessKey, sessionToken }] = await Promise.all([
      endpointOf(client, bucket),
      client.config.region(),
      client.config.credentials(),
    ]);
    return {
      aws_access_key_id: accessKeyId,
      aws_secret_access_key: secretAccessKey,
      ...(sessionToken === undefined ? {} : { aws_session_token: sessionToken }),
      aws_region: region,
      // To the engine this style means that the endpoint has the bucket, be it in the host or in the path.
      aws_virtual_hosted_style_request: "true",
      aws_endpoint_url: endpoint.href.replace(/\/$/, ""),
      aws_allow_http: String(endpoint.protocol === "http:"),
      timeout: requestTimeout,
      connect_timeout: connectTimeout,
    };
  } catch (error) {
    throw new SourceUnavailable(`s3://${bucket} cannot be read: ${s3Reason(error)}`);
  }
}

/** Where the client would send a request to, which depends on its region, style, variables and configuration files. */
async function endpointOf(client: S3Client, bucket: string): Promise<URL> {
  let endpoint: URL | undefined;
  const command = new HeadObjectCommand({ Bucket: bucket, Key: "-" });
  command.middlewareStack.add(
    (_next, context) => async () => {
      endpoint = context.endpointV2?.url;
      return { response: undefined, output: { $metadata: {} } };
    },
    { step: "build", priority: "low" },
  );
  await client.send(command);
  if (endpoint === undefined) throw new Error("the client knows no endpoint");
  return endpoint;
}
