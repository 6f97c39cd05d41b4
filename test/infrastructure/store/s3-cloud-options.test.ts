import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { describe, expect, it } from "vitest";
import { SourceUnavailable } from "../../../src/domain/model/failure.ts";
import { cloudOptionsOf } from "../../../src/infrastructure/store/s3-cloud-options.ts";

const credentials = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "s3cr3t" };
const optionsOf = (config: S3ClientConfig, bucket = "my-bucket") =>
  cloudOptionsOf(new S3Client({ region: "eu-central-1", credentials, ...config }), bucket);

describe("the options of the engine for a bucket", () => {
  it.each<[string, S3ClientConfig, string]>([
    ["https://my-bucket.s3.eu-central-1.amazonaws.com", {}, "my-bucket"],
    ["https://s3.eu-central-1.amazonaws.com/my-bucket", { forcePathStyle: true }, "my-bucket"],
    ["https://s3.eu-central-1.amazonaws.com/my.bucket", {}, "my.bucket"],
    ["https://my-bucket.s3.cn-north-1.amazonaws.com.cn", { region: "cn-north-1" }, "my-bucket"],
    ["https://my-bucket.s3-fips.us-east-1.amazonaws.com", { region: "us-east-1", useFipsEndpoint: true }, "my-bucket"],
    ["https://my-bucket.store.example", { endpoint: "https://store.example/" }, "my-bucket"],
    ["http://[::1]:9000/my-bucket", { endpoint: "http://[::1]:9000", forcePathStyle: true }, "my-bucket"],
  ])("lead to %s as the client does", async (endpoint, config, bucket) => {
    const options = await optionsOf(config, bucket);
    expect(options["aws_endpoint_url"]).toBe(endpoint);
    expect(options["aws_allow_http"]).toBe(String(endpoint.startsWith("http:")));
  });

  it("are texts, with the region and the credentials of this moment", async () => {
    let sessionToken = "";
    const current = async () => ({ ...credentials, sessionToken, expiration: new Date(0) });
    const client = new S3Client({ region: "eu-central-1", credentials: current });
    for (sessionToken of ["token 1", "token 2"]) {
      const options = await cloudOptionsOf(client, "my-bucket");
      expect(options).toMatchObject({
        aws_access_key_id: "AKIAEXAMPLE",
        aws_secret_access_key: "s3cr3t",
        aws_session_token: sessionToken,
        aws_region: "eu-central-1",
      });
      for (const value of Object.values(options)) expect(value).toBeTypeOf("string");
    }
    expect(await optionsOf({})).not.toHaveProperty("aws_session_token");
  });

  it("are refused without credentials", async () => {
    const none = async () => {
      throw Object.assign(new Error("looked into /home/me"), { name: "CredentialsProviderError" });
    };
    const failing = optionsOf({ credentials: none });
    await expect(failing).rejects.toThrow(SourceUnavailable);
    await expect(failing).rejects.toThrow(/^s3:\/\/my-bucket cannot be read: no credentials were found: set AWS_/);
  });
});
