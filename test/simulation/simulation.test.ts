import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { type Fault, faults, type Operation, possible } from "./faulty-store.ts";
import { type Break, type Moment, randomScenario, runOf, type Scenario } from "./scenario.ts";
import { addTo, emptyTally } from "./tally.ts";
import { type LogEntry, simulate } from "./world.ts";

it("keeps all promises of publication in 60 worlds full of faults", async () => {
  const tally = emptyTally();
  for (let seed = 1; seed <= 60; seed += 1) {
    const scenario = randomScenario(seed);
    const outcome = await simulate(scenario);
    expect(outcome.violations, `npm run sim -- --seed ${seed} --runs 1 --trace`).toEqual([]);
    addTo(tally, scenario, outcome);
  }
  for (const fault of faults) expect(tally.faults[fault], fault).toBeGreaterThan(0);
});

it.each<Break>(["no-fence", "same-bytes"])("finds out that %s breaks them", async (broken) => {
  expect(await firstFailure(broken, 1)).toBeDefined();
  expect(await firstFailure(broken, 1_000_000)).toBeDefined();
});

it("plays the same history again for the same seed, byte for byte", async () => {
  const hashes = new Set<string>();
  for (const seed of [7, 8, 9]) {
    const [one, other] = [await simulate(randomScenario(seed)), await simulate(randomScenario(seed))];
    expect(hashOf(other.log)).toBe(hashOf(one.log));
    hashes.add(hashOf(one.log));
  }
  expect(hashes.size).toBe(3);
});

it("keeps them whatever happens at any single operation of one writer", async () => {
  const count = await operationsOf(lone, 0);
  let met = 0;
  for (const fault of faults) {
    for (let at = 1; at <= count; at += 1) met += await holds(lone, 0, { "run-1": { fault, at } });
  }
  // Crashes, resets and delays are possible everywhere.
  expect(met).toBeGreaterThan(5 * count);
});

it("keeps them whatever happens at any single operation of one of two writers", async () => {
  for (const seed of [1, 2]) {
    const count = await operationsOf(pair, seed);
    for (const fault of faults) {
      for (const runId of ["run-1", "run-2"]) {
        for (let at = 1; at <= count; at += 1) await holds(pair, seed, { [runId]: { fault, at } });
      }
    }
  }
});

it("keeps them when two writers crash, each at any of its operations", async () => {
  const crashes = ["crash before", "crash after"] as const;
  const count = await operationsOf(pair, 1);
  const plans = crashes.flatMap((fault) => Array.from({ length: count }, (_, index) => ({ fault, at: index + 1 })));
  for (const one of plans) for (const other of plans) await holds(pair, 1, { "run-1": one, "run-2": other });
});

it("tells by its exit status whether a promise was broken, and how to see it again", async () => {
  const whole = await command("--runs", "3", "--seed", "5");
  expect(whole).toMatchObject({ status: 0, stdout: expect.stringMatching(/^runs: 3\n.*\nviolations: 0$/ms) });
  const broken = await command("--runs", "20", "--seed", "5", "--break", "no-fence");
  expect(broken.status).toBe(3);
  const replay = broken.stdout.match(/^replay: npm run sim -- (.*)$/m)?.[1]?.split(" ") ?? [];
  const replayed = await command(...replay);
  expect(replayed).toMatchObject({ status: 3, stdout: expect.stringContaining("WROTE  result.parquet as run-") });
  for (const wrong of [
    ["--seed", "-1"],
    ["--break", "all"],
  ]) {
    const { status, stderr } = await command(...wrong);
    expect({ wrong, status, lines: stderr.trim().split("\n").length }).toEqual({ wrong, status: 2, lines: 1 });
  }
});

type Plan = Readonly<Record<string, { readonly fault: Fault; readonly at: number }>>;

const readers = [{ name: "reader-1", date: runOf({ runId: "any", second: 0, mode: "force" }).date, looks: 10 }];
const lone = [runOf({ runId: "run-1", second: 1, mode: "changed" })];
const pair = [...lone, runOf({ runId: "run-2", second: 2, mode: "force" })];

/** @returns how many faults of the plan there were */
async function holds(runs: Scenario["runs"], seed: number, plan: Plan): Promise<number> {
  const faultAt = ({ runId, attempt, count }: Moment, operation: Operation) => {
    const planned = attempt === 1 && plan[runId]?.at === count ? plan[runId].fault : undefined;
    return planned !== undefined && possible(planned, operation) ? planned : undefined;
  };
  const { log, violations } = await simulate({ seed, runs, readers, faultAt });
  expect(violations, `seed ${seed}, ${JSON.stringify(plan)}`).toEqual([]);
  return log.filter(({ actor, event }) => actor.includes("/") && event.type === "step" && event.fault).length;
}

/** How many operations the longest first attempt has when nothing goes wrong. */
async function operationsOf(runs: Scenario["runs"], seed: number): Promise<number> {
  const { log } = await simulate({ seed, runs, readers: [], faultAt: () => undefined });
  const counts = runs.map(
    ({ runId }) => log.filter(({ actor, event }) => actor === `${runId}/1` && event.type === "step").length,
  );
  return Math.max(...counts);
}

async function firstFailure(broken: Break, from: number): Promise<number | undefined> {
  for (let seed = from; seed < from + 200; seed += 1) {
    if ((await simulate(randomScenario(seed, broken))).violations.length > 0) return seed;
  }
  return undefined;
}

function hashOf(log: readonly LogEntry[]): string {
  return createHash("sha256").update(JSON.stringify(log)).digest("hex");
}

function command(...options: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...options], (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}
