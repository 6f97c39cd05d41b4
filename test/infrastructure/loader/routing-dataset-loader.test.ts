import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BadRequest, InputChanged } from "../../../src/domain/model/failure.ts";
import { createFileDatasetLoader } from "../../../src/infrastructure/loader/file-dataset-loader.ts";
import { createRoutingDatasetLoader } from "../../../src/infrastructure/loader/routing-dataset-loader.ts";
import { createS3DatasetLoader } from "../../../src/infrastructure/loader/s3-dataset-loader.ts";
import type { DatasetLoader } from "../../../src/usecase/ports/output/dataset-loader.ts";
import { datasetLoaderContract, requestFor, sha256Of } from "../../contract/dataset-loader.contract.ts";
import { createHttpWorld, type HttpWorld } from "./http-world.ts";
import { createS3World, type S3World } from "./s3-world.ts";

let folder: string;
let world: HttpWorld;
let s3: S3World;
let loader: DatasetLoader;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "routing-"));
  world = await createHttpWorld();
  world.serve(({ url }, response) => response.end(url));
  s3 = await createS3World();
  loader = createRoutingDatasetLoader({ file: createFileDatasetLoader(), http: world.loader(), s3: s3.loader() });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

datasetLoaderContract("the routing loader at local files", async () => ({
  loader,
  uri: (name) => `${pathToFileURL(folder).href}/${name}`,
  put: (name, content) => writeFile(join(folder, name), content),
  remove: (name) => rm(join(folder, name)),
  pinnedBytes: (pin) => readFile(fileURLToPath(pin.location)),
  async [Symbol.asyncDispose]() {},
}));

describe("the routing loader", () => {
  const mixed = () => ({
    uri: [`${world.first}/1`, "file:./b*{dd}.csv", `${world.first}/3?d={date}`, "file:./a.csv"],
    glob: true,
  });
  beforeEach(async () => {
    for (const name of ["a.csv", "b1-29.csv", "b2-29.csv"]) await writeFile(join(folder, name), name);
  });

  it("gives each address to the loader of its scheme and keeps their order", async () => {
    const request = requestFor(mixed(), folder);
    const inspected = await loader.inspect(request, []);
    const pins = await loader.load(request, inspected);
    const contents = ["/1", "b1-29.csv", "b2-29.csv", "/3?d=2024-02-29", "a.csv"];
    expect(pins.map((pin) => pin.sha256)).toEqual(contents.map(sha256Of));
    expect(inspected.map((input) => input.uri)).toEqual(pins.map((pin) => pin.uri));
  });

  it("hands s3: addresses to their loader, without the secret that is for http", async () => {
    await s3.put("a.csv", "a");
    await s3.put("b.csv", "b");
    const uri = [s3.uri("a.csv"), "file:./a.csv", `${world.first}/1`, s3.uri("b.csv")];
    const request = requestFor({ uri, secret: "SOURCE_TOKEN" }, folder);
    const pins = await loader.load(request, await loader.inspect(request, []));
    expect(pins.map((pin) => pin.sha256)).toEqual(["a", "a.csv", "/1", "b"].map(sha256Of));
    expect(pins.map((pin) => pin.uri)).toEqual([uri[0], pathToFileURL(join(folder, "a.csv")).href, uri[2], uri[3]]);
    await expect(loader.verify(pins)).resolves.toBeUndefined();
  });

  it("asks for no S3 client while no address is s3:", async () => {
    const client = () => Promise.reject(new Error("nobody needs it"));
    const careful = createRoutingDatasetLoader({
      file: createFileDatasetLoader(),
      http: world.loader(),
      s3: createS3DatasetLoader({ client, stage: async () => "" }),
    });
    const request = requestFor(mixed(), folder);
    await careful.verify(await careful.load(request, await careful.inspect(request, [])));
  });

  it("verifies what was read in place among what was staged", async () => {
    const pins = await loader.load(requestFor(mixed(), folder), []);
    await expect(loader.verify(pins)).resolves.toBeUndefined();
    await writeFile(join(folder, "a.csv"), "other");
    await expect(loader.verify(pins)).rejects.toThrow(InputChanged);
    await s3.put("p.parquet", "PAR1 one");
    const parquet = await loader.load(requestFor({ uri: s3.uri("p.parquet") }, folder, "parquet"), []);
    await expect(loader.verify(parquet)).resolves.toBeUndefined();
    await s3.put("p.parquet", "PAR1 two");
    await expect(loader.verify(parquet)).rejects.toThrow(InputChanged);
  });

  it("lets a redirect reach any host that the source names, whichever address it starts from", async () => {
    world.serve(({ url, headers }, response) => {
      const leads = url === "/1" && headers.host?.startsWith("127.0.0.1");
      response.writeHead(leads ? 302 : 200, { location: `${world.second}/there` }).end(url);
    });
    const uri = [`${world.first}/1`, "file:./a.csv", `${world.second}/3`];
    await expect(loader.load(requestFor({ uri }, folder), [])).resolves.toHaveLength(3);
  });

  it("checks the source as a whole before it asks anyone", async () => {
    const uri = [`${world.first}/1`, "file:./a.csv"];
    await expect(loader.load(requestFor({ uri, sha256: sha256Of("/1") }, folder), [])).rejects.toThrow(BadRequest);
    const twoHosts = { uri: [`${world.first}/1`, "file:./a.csv", `${world.second}/3`], secret: "SOURCE_TOKEN" };
    await expect(loader.load(requestFor(twoHosts, folder), [])).rejects.toThrow(BadRequest);
    expect(world.requests).toEqual([]);
  });
});
