/*
 * Kills real processes at random moments of `save`, on disk and on a real S3 server, while readers look:
 * `npm run torture -- --kills 200`. The seed gives dates, delays and company; what the machine makes of them differs.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { outliveReaders } from "../../src/interface/outlive-readers.ts";
import { stopRequests } from "../../src/interface/stop-requested.ts";
import { createRandom } from "../simulation/random.ts";
import { exitStatusOf, runCommand } from "../support/command.ts";
import { createLimits, type Limits } from "../support/limits.ts";
import { startSeaweedfs } from "../support/s3-servers.ts";
import { createPace, killJobs, measurePace } from "./job-kills.ts";
import { entryPoints, killsOf, type Ledger, noteFaults, printLedger } from "./ledger.ts";
import { dates } from "./store-access.ts";
import { phases } from "./verdict.ts";
import { killWorkers } from "./worker-kills.ts";
import { openWorld } from "./world.ts";

type StoreKind = "disk" | "s3";
type Options = { readonly kills: number; readonly stores: readonly StoreKind[]; readonly seed: number };

const measuredRuns = 5;
const workerShare = 0.05;
/** With fewer kills, chance may pass over a phase. */
const enoughKills = 100;

outliveReaders();
await runCommand(parseOptions(), torture);

async function torture({ kills, stores, seed }: Options): Promise<number> {
  process.stdout.write(`seed: ${seed}\n`);
  const limits = createLimits(stopRequests());
  try {
    let right = true;
    for (const store of stores) {
      const ledger = await tortureStore(store, kills, seed, limits);
      right &&= ledger.faults.size === 0;
    }
    return right ? 0 : 3;
  } catch (error) {
    return exitStatusOf(error);
  }
}

async function tortureStore(store: StoreKind, kills: number, seed: number, limits: Limits): Promise<Ledger> {
  const started = performance.now();
  await using server = store === "s3" ? await startSeaweedfs() : undefined;
  await using world = await openWorld(server, limits);
  const { ledger } = world;
  const random = createRandom(seed);
  const pace = createPace();
  const workerKills = Math.max(1, Math.round(kills * workerShare));
  const onKill = () => progress(`${store}: ${killsOf(ledger, ...entryPoints)} of ${kills}`);
  try {
    await measurePace(world, pace, measuredRuns);
    process.stdout.write(`${store}: save takes ${pace.usualMs().toFixed(1)} ms\n`);
    await killJobs(world, pace, { random, kills: kills - workerKills, onKill });
    await killWorkers(world, pace, { random, kills: workerKills, onKill });
    ledger.reads = await world.readers.stop();
    for (const date of dates) await world.check(date);
    const missed = phases.slice(0, -1).filter((phase) => entryPoints.every((main) => ledger.kills[main][phase] === 0));
    if (kills >= enoughKills && missed.length > 0) {
      noteFaults(ledger, [{ kind: "other", sentence: `no kill has hit: ${missed.join(", ")}` }]);
    }
    return ledger;
  } finally {
    progress("");
    process.stdout.write(`${printLedger(store, ledger, (performance.now() - started) / 1000)}\n`);
  }
}

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${line}\u001b[K`);
}

/** The options, or what is wrong with them. */
function parseOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        kills: { type: "string", default: "200" },
        store: { type: "string", default: "both" },
        seed: { type: "string", default: String(randomInt(2 ** 31)) },
      },
    });
    const [kills, seed] = [Number(values.kills), Number(values.seed)];
    if (!/^\d+$/.test(values.kills) || kills < 1 || kills > 1e6) {
      return `--kills must be a whole number from 1, got ${values.kills}`;
    }
    if (!/^\d+$/.test(values.seed) || seed >= 2 ** 32) {
      return `--seed must be a whole number from 0, and below ${2 ** 32}, got ${values.seed}`;
    }
    const stores = { disk: ["disk"], s3: ["s3"], both: ["disk", "s3"] } as const;
    if (!(values.store in stores)) return `--store must be disk, s3 or both, got ${values.store}`;
    return { kills, seed, stores: stores[values.store as keyof typeof stores] };
  } catch (error) {
    return error instanceof Error ? (error.message.split(/\.\s/)[0] ?? "") : String(error);
  }
}
