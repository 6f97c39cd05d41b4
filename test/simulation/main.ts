/*
 * Plays publication in simulated worlds: `npm run sim -- --runs 2000`. One seed is one world, and always the same one.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { outliveReaders } from "../../src/interface/outlive-readers.ts";
import { runCommand } from "../support/command.ts";
import { type Break, breaks, randomScenario } from "./scenario.ts";
import { addTo, emptyTally, printTally } from "./tally.ts";
import { traceLine } from "./trace.ts";
import { simulate } from "./world.ts";

type Options = {
  readonly runs: number;
  readonly seed: number;
  readonly broken: Break | undefined;
  readonly trace: boolean;
};

outliveReaders();
await runCommand(parseOptions(), play);

async function play({ runs, seed, broken, trace }: Options): Promise<number> {
  process.stdout.write(`seed: ${seed}\n`);
  const tally = emptyTally();
  let first: { readonly seed: number; readonly violations: readonly string[] } | undefined;
  for (let index = 0; index < runs; index += 1) {
    const scenario = randomScenario(seed + index, broken);
    const outcome = await simulate(scenario);
    addTo(tally, scenario, outcome);
    if (trace) process.stdout.write(`${outcome.log.map(traceLine).join("\n")}\n`);
    if (outcome.violations.length > 0) first ??= { seed: scenario.seed, violations: outcome.violations };
    if (process.stderr.isTTY && (index + 1) % 20 === 0) process.stderr.write(`\r${index + 1} of ${runs}\u001b[K`);
  }
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  process.stdout.write(`${printTally(tally)}\n`);
  if (first === undefined) return 0;
  const variant = broken === undefined ? "" : ` --break ${broken}`;
  process.stdout.write(
    [
      `first failing seed: ${first.seed}`,
      ...first.violations.slice(0, 10).map((sentence) => `  ${sentence}`),
      `replay: npm run sim -- --seed ${first.seed} --runs 1 --trace${variant}`,
      "",
    ].join("\n"),
  );
  return 3;
}

/** The options, or what is wrong with them. */
function parseOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        runs: { type: "string", default: "200" },
        seed: { type: "string", default: String(randomInt(2 ** 31)) },
        break: { type: "string" },
        trace: { type: "boolean", default: false },
      },
    });
    const [runs, seed] = [Number(values.runs), Number(values.seed)];
    const broken = breaks.find((known) => known === values.break);
    if (!/^\d+$/.test(values.runs) || runs < 1 || runs > 1e9) {
      return `--runs must be a whole number from 1, got ${values.runs}`;
    }
    if (!/^\d+$/.test(values.seed) || seed + runs > 2 ** 32) {
      return `--seed must be a whole number from 0, and below ${2 ** 32} for the last run, got ${values.seed}`;
    }
    if (values.break !== undefined && broken === undefined) {
      return `--break must be ${breaks.join(" or ")}, got ${values.break}`;
    }
    return { runs, seed, broken, trace: values.trace };
  } catch (error) {
    return error instanceof Error ? (error.message.split(/\.\s/)[0] ?? "") : String(error);
  }
}
