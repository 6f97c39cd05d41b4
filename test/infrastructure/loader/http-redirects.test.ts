import { inspect as show } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Source } from "../../../src/domain/model/dataset-definition.ts";
import { BadRequest, SourceUnavailable } from "../../../src/domain/model/failure.ts";
import { compareInputs } from "../../../src/domain/value-object/fingerprint.ts";
import { requestFor } from "../../contract/dataset-loader.contract.ts";
import { answerRaw, createHttpWorld, type Handler, type HttpWorld } from "./http-world.ts";

let world: HttpWorld;
beforeEach(async () => {
  world = await createHttpWorld();
});
afterEach(async () => {
  expect(await world.scratchFiles()).toEqual([]);
  await world[Symbol.asyncDispose]();
});

const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);
const request = (more: Partial<Source> = {}) => requestFor({ uri: `${world.first}/relief.csv?d={date}`, ...more });
const bothHosts = () => ({
  allowedHosts: [`127.0.0.1:${world.port}`, `localhost:${world.port}`],
  secret: "SOURCE_TOKEN",
});
const redirectTo =
  (location: string, status = 302): Handler =>
  (_, response) =>
    response.writeHead(status, { location }).end("moved");

/** The first host signs a link of its own for each GET to the second host, which accepts no other authorization. */
function signedLinks(): Handler {
  let signed = 0;
  return ({ method, headers, url = "" }, response) => {
    if (method !== "GET") return void response.writeHead(403).end();
    if (headers.host?.startsWith("127.0.0.1")) {
      if (headers.authorization !== "Bearer s3cr3t") return void response.writeHead(401).end();
      return void response.writeHead(302, { location: `${world.second}/x?sig=S1GNATURE${signed++}&expires=5` }).end();
    }
    if (headers.authorization !== undefined) return void response.writeHead(400).end();
    return void response.writeHead(url.includes("S1GNATURE") ? 200 : 403).end("country,people\nAA,15\nBB,20\n");
  };
}

describe("the http loader at a source that redirects to signed links", () => {
  it("sends the secret to the first host only and is unchanged by sha256 though each link differs", async () => {
    world.serve(signedLinks());
    const previous = await world.loader().load(request(bothHosts()), []);
    const inspected = await world.loader().inspect(request(bothHosts()), previous);
    expect(compareInputs(inspected, previous)).toBe("unknown");
    const again = await world.loader().load(request(bothHosts()), inspected);
    expect(compareInputs(again, previous)).toBe("same");
    expect(previous[0]?.uri).toBe(`${world.first}/relief.csv?d=2024-02-29`);
    for (const shown of [inspected, again]) expect(show(shown, { depth: 9 })).not.toMatch(/S1GNATURE|s3cr3t|localhost/);
  });

  it.each<[string, Handler]>([
    ["answers 403", (_, response) => response.writeHead(403).end("S1GNATURE")],
    ["breaks the protocol", (message) => answerRaw(message, "HTTP/1.1 200 OK\r\nS1GNATURE\u0000: 1\r\n\r\n")],
    ["is away", (message) => message.socket.destroy()],
    [
      "cuts the body",
      (message, response) => {
        response.writeHead(200, { "content-length": 100 }).write("S1GNATURE");
        setTimeout(() => message.socket.destroy(), 20);
      },
    ],
    ["redirects to nowhere", (_, response) => response.writeHead(302, { location: "http://[S1GNATURE" }).end()],
    ["redirects elsewhere", (_, response) => response.writeHead(302, { location: "http://a.b/S1GNATURE" }).end()],
  ])("shows neither signature nor secret when the second host %s", async (_, atSecond) => {
    world.serve((message, response) =>
      message.headers.host?.startsWith("127.0.0.1")
        ? redirectTo(`${world.second}/x?sig=S1GNATURE`)(message, response)
        : atSecond(message, response),
    );
    const failure = await failureOf(world.loader().load(request(bothHosts()), []));
    expect(failure).toMatchObject({ code: expect.stringMatching(/source-unavailable|bad-request/) });
    expect(show(failure, { depth: 9, showHidden: true })).not.toMatch(/S1GNATURE|s3cr3t/);
  });
});

describe("the http loader with redirects", () => {
  it.each([301, 302, 303, 307, 308])("follows %i within the host, with the secret", async (status) => {
    world.serve((message, response) => {
      if (message.url !== "/there") return redirectTo("/there", status)(message, response);
      response.writeHead(message.headers.authorization === "Bearer s3cr3t" ? 200 : 401).end("a");
    });
    await expect(world.loader().load(request({ secret: "SOURCE_TOKEN" }), [])).resolves.toHaveLength(1);
  });

  it("does not send the secret again when a second host leads back to the first", async () => {
    const seen: [string | undefined, string | undefined][] = [];
    world.serve((message, response) => {
      seen.push([message.headers.host?.split(":")[0], message.headers.authorization]);
      if (message.url?.startsWith("/relief")) return redirectTo(`${world.second}/2`)(message, response);
      if (message.url === "/2") return redirectTo(`${world.first}/3`)(message, response);
      if (message.url === "/3") return redirectTo("/4")(message, response);
      response.end("a");
    });
    await world.loader().load(request(bothHosts()), []);
    expect(seen).toEqual([
      ["127.0.0.1", "Bearer s3cr3t"],
      ["localhost", undefined],
      ["127.0.0.1", undefined],
      ["127.0.0.1", undefined],
    ]);
  });

  it.each([
    [
      "a host that is not allowed",
      () => `${world.second}/x?sig=1`,
      /redirected to localhost:\d+, which source\.allowedHosts/,
    ],
    ["another port", () => "http://127.0.0.1:1/x", /redirected to 127\.0\.0\.1:1, which source\.allowedHosts/],
    ["another scheme", () => "ftp://127.0.0.1/x", /to ftp:/],
    ["a local file", () => "file:///etc/hostname", /to file:/],
    ["an address with a user", () => `http://me:pw@127.0.0.1:${world.port}/x`, /with a user name/],
  ])("refuses to be led to %s", async (_, location, message) => {
    world.serve((incoming, response) => redirectTo(location())(incoming, response));
    const failure = await failureOf(world.loader().load(request(), []));
    expect(failure).toBeInstanceOf(BadRequest);
    expect(failure).toMatchObject({ message: expect.stringMatching(message) });
    expect(world.requests).toHaveLength(1);
  });

  it("follows five redirects and no sixth", async () => {
    const chain =
      (length: number): Handler =>
      ({ url = "" }, response) => {
        const hop = Number(/^\/hop(\d)$/.exec(url)?.[1] ?? 0);
        if (hop < length) response.writeHead(302, { location: `/hop${hop + 1}` }).end();
        else response.end("a");
      };
    world.serve(chain(5));
    await expect(world.loader().load(request(), [])).resolves.toHaveLength(1);
    world.serve(chain(6));
    await expect(world.loader().load(request(), [])).rejects.toThrow(SourceUnavailable);
    expect(world.requests).toHaveLength(12);
  });

  it("says so when a redirect has no Location", async () => {
    world.serve((_, response) => response.writeHead(302).end());
    await expect(world.loader().load(request(), [])).rejects.toThrow(/without a usable Location/);
  });
});

describe("the http loader with a secret", () => {
  it.each([
    ["is not set", {}],
    ["is empty", { SOURCE_TOKEN: " \n" }],
    ["has two lines", { SOURCE_TOKEN: "s3cr3t\nx: s3cr3t" }],
  ])("refuses to ask without it when the variable %s", async (_, environment) => {
    const work = world.loader({ environment }).load(request({ secret: "SOURCE_TOKEN" }), []);
    const failure = await failureOf(work);
    expect(failure).toBeInstanceOf(BadRequest);
    expect(String(failure)).toContain("SOURCE_TOKEN");
    expect(String(failure)).not.toContain("s3cr3t");
    expect(world.requests).toEqual([]);
  });

  it("takes the line end off the value of the variable", async () => {
    world.serve(({ headers }, response) =>
      response.writeHead(headers.authorization === "Bearer s3cr3t" ? 200 : 401).end(),
    );
    const loader = world.loader({ environment: { SOURCE_TOKEN: "Bearer s3cr3t\n" } });
    await expect(loader.load(request({ secret: "SOURCE_TOKEN" }), [])).resolves.toHaveLength(1);
  });

  it("says which variable a source has refused, and when there was none", async () => {
    world.serve((_, response) => response.writeHead(401).end());
    await expect(world.loader().load(request({ secret: "SOURCE_TOKEN" }), [])).rejects.toThrow(/401.*SOURCE_TOKEN/);
    await expect(world.loader().load(request(), [])).rejects.toThrow(/401.*source\.secret names no secret/);
  });
});
