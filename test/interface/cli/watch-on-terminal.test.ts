import { rename, symlink, unlink } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { startDevServer } from "../../../src/infrastructure/temporal/dev-server.ts";
import { createService, eventually, type Service, smallCsv, type Terminal } from "../../support/service.ts";
import { searchAttributes, startTestServer, testBinary } from "../../support/temporal.ts";

vi.setConfig({ testTimeout: 180_000 });

const clearScreen = "\u001b[2J\u001b[H";
const interrupt = "\u0003";
const notKnown = "running and failed are not known: ";

async function publish(service: Service, date: string): Promise<void> {
  await service.write(`${date}.csv`, smallCsv);
  expect(await service.run("cli", ["run", "totals", date])).toMatchObject({ status: 0 });
}

async function createWorld(temporalAddress = "127.0.0.1:1"): Promise<Service> {
  const service = await createService({ TEMPORAL_ADDRESS: temporalAddress });
  await service.define("totals");
  await publish(service, "2026-01-01");
  return service;
}

/** What the screen has shown, one after the other. */
const framesOf = (terminal: Terminal) => terminal.out().replaceAll("\r\n", "\n").split(clearScreen);
const screenOf = (terminal: Terminal) => framesOf(terminal).at(-1) ?? "";

const shows = (terminal: Terminal, text: string, isShown = true) =>
  eventually(
    () => screenOf(terminal).includes("until Ctrl-C\n") && screenOf(terminal).includes(text) === isShown,
    60_000,
  );

async function stop(terminal: Terminal): Promise<void> {
  terminal.type(interrupt);
  expect(await terminal.ended).toMatchObject({ status: 0 });
}

test("on a terminal status --watch clears the screen and draws all of it anew, until Ctrl-C", async () => {
  await using service = await createWorld();
  const watch = service.terminal(["status", "--watch", "1", "--without-temporal"]);
  await shows(watch, "2026-01  #\n");
  await publish(service, "2026-01-03");
  await shows(watch, "2026-01  #.#\n");
  const seen = framesOf(watch).length;
  await eventually(() => framesOf(watch).length > seen + 1);
  await stop(watch);

  const [before, ...frames] = framesOf(watch);
  expect(before).toBe("");
  expect(frames.length).toBeGreaterThan(3);
  const lines = (frames.at(-2) ?? "").split("\n");
  expect(lines).toEqual([
    "totals: A dataset of a test",
    "           1   5    10   15   20   25   30",
    "  2026-01  #.#",
    "3 days: 2 published, 1 missing",
    "no schedule and no deadline: no date is waited for",
    expect.stringMatching(/^last success: 2026-01-03, at 20.*Z$/),
    "",
    "# published   r running   x failed   ! late   . missing   - not due yet",
    `${notKnown}Temporal was not asked`,
    expect.stringMatching(/^20.*Z, every 1 s until Ctrl-C$/),
    "",
  ]);
  expect(lines.every((line) => line.length <= 80)).toBe(true);
});

test("a Temporal that goes away in the middle is told of below the calendar, and forgotten when it is back", async () => {
  const server = await startTestServer();
  const port = Number(server.address.split(":")[1]);
  await using service = await createWorld(server.address);
  const watch = service.terminal(["status", "--watch", "1"]);
  await shows(watch, notKnown, false);
  await server.stop();
  await shows(watch, notKnown);
  await publish(service, "2026-01-02");
  await shows(watch, "2026-01  ##\n");
  expect(screenOf(watch)).toContain(notKnown);
  const again = await startDevServer({ binary: await testBinary(), port, uiPort: 0, searchAttributes });
  try {
    await shows(watch, notKnown, false);
    expect(screenOf(watch)).toContain("2026-01  ##\n");
    await stop(watch);
  } finally {
    await again.stop();
  }
});

/** A folder that answers no call, and is whole again afterwards. */
async function withoutStore(service: Service, work: () => Promise<void>): Promise<void> {
  const kept = `${service.store}-kept`;
  await rename(service.store, kept);
  await symlink(service.store, service.store);
  await work();
  await unlink(service.store);
  await rename(kept, service.store);
}

const away = "store-unavailable";
const linesOf = (text: string) => text.split(/\r?\n/).filter((line) => line.startsWith("the store "));

test("a store that goes away in the middle is told of once, and the calendar goes on when it is back", async () => {
  await using service = await createWorld();
  const watch = service.terminal(["status", "--watch", "1", "--without-temporal"]);
  const plain = service.start("cli", ["status", "--watch", "1", "--without-temporal"]);
  await shows(watch, "2026-01  #\n");
  await plain.wrote("1 day: 1 published");
  await withoutStore(service, async () => {
    await Promise.all([watch.wrote(service.store), plain.wrote(service.store)]);
    const seen = framesOf(watch).length;
    // Several looks, of which only the first is told.
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect(framesOf(watch)).toHaveLength(seen);
    expect(linesOf(watch.out())).toHaveLength(1);
    expect(linesOf(plain.err())).toEqual([plain.err().trimEnd()]);
  });
  await publish(service, "2026-01-02");
  await shows(watch, "2026-01  ##\n");
  await plain.wrote("2 days: 2 published");
  await stop(watch);
  plain.kill("SIGINT");
  expect(await plain.ended).toMatchObject({ status: 0 });
  expect(linesOf(watch.out())).toHaveLength(1);
  expect(linesOf(plain.err())).toEqual([plain.err().trimEnd()]);
});

test("a store that is away from the start ends the command", async () => {
  await using service = await createWorld();
  await withoutStore(service, async () => {
    const watch = service.terminal(["status", "--watch", "1", "--without-temporal"]);
    expect(await watch.ended).toMatchObject({ status: 22 });
    expect(watch.out()).toContain(`${away}: `);
  });
});
