/*
 * The readers of a torture run, in a process of their own: one through the store's adapter, one without it. They look
 * until they are asked to stop, and end with the process that has started them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { factsOf } from "../simulation/history.ts";
import { createRandom } from "../simulation/random.ts";
import { madeFrom } from "./content.ts";
import type { FromReaders, ToReaders } from "./readers.ts";
import { dataset, dates, layout, openStore, type StoreAccess } from "./store-access.ts";
import { createWitness, type Fault, type Sight } from "./verdict.ts";
import { throughAdapter, type WayToRead, withoutAdapter } from "./ways-to-read.ts";

const betweenLooksMs = 50;
const openEvery = 20;

// Ctrl-C reaches the whole group: the process that has started this one decides.
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => undefined);
process.once("disconnect", () => process.exit());

let watched: string | undefined;
let stopped = false;
let looks = 0;
let opened = 0;

process.on("message", (message: ToReaders) => {
  if (message.type === "start") void readAll(message.access);
  else if (message.type === "watch") watched = message.date;
  else stopped = true;
});

async function readAll(access: StoreAccess): Promise<void> {
  using store = await openStore(access);
  const witness = createWitness();
  tell({ type: "ready" });
  const ways = [throughAdapter(store), withoutAdapter(access)];
  await Promise.all(ways.map((way, index) => read(way, index, witness)));
  tell({ type: "stopped", looks, opened });
}

async function read(way: WayToRead, seed: number, witness: (sight: Sight) => readonly Fault[]): Promise<void> {
  const random = createRandom(seed);
  for (let count = 1; !stopped; count += 1) {
    const date = watched !== undefined && random.chance(0.75) ? watched : random.pick(dates);
    try {
      for (const fault of witness(await look(way, date, count % openEvery === 0))) tell({ type: "fault", fault });
    } catch (error) {
      tell({ type: "fault", fault: { kind: "other", sentence: `${way.name} could not read ${date}: ${error}` } });
    }
    await sleep(betweenLooksMs);
  }
}

async function look(way: WayToRead, date: string, opens: boolean): Promise<Sight> {
  const text = await way.text(layout.manifest(dataset, date));
  const pointer = text === undefined ? undefined : { text, immutable: await way.text(factsOf(text)?.key ?? "none") };
  const found = await way.live(date);
  looks += 1;
  const seen = { reader: way.name, date, pointer };
  if (!opens || found === undefined) return { ...seen, live: found?.seen };
  opened += 1;
  return { ...seen, live: { ...found.seen, madeFrom: madeFrom(found.bytes) } };
}

function tell(message: FromReaders): void {
  process.send?.(message);
}
