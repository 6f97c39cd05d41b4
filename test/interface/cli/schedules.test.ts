import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { createServiceWithTemporal, eventually, type ServiceWithTemporal } from "../../support/service.ts";

vi.setConfig({ testTimeout: 120_000 });

let service: ServiceWithTemporal;

beforeAll(async () => {
  service = await createServiceWithTemporal(inject("temporalAddress"));
});

afterAll(() => service[Symbol.asyncDispose]());

const schedules = (...args: string[]) => service.run("cli", ["schedules", ...args]);

async function json(...args: string[]) {
  const { status, out, err } = await schedules(...args, "--json");
  expect({ status, err }).toEqual({ status: 0, err: "" });
  return JSON.parse(out);
}

const action = (name: string, dataset: string, reasons: readonly string[] = []) => ({
  id: `daily/${dataset}`,
  dataset,
  action: name,
  reasons,
});

test("schedules follow the definitions, show the difference first, and keep a person's pause", async () => {
  expect(await schedules()).toMatchObject({ status: 0, err: "", out: "no definition has a schedule\n" });
  expect(await schedules("apply")).toMatchObject({ out: expect.stringMatching(/nothing to do\n$/) });

  await service.define("unscheduled");
  await service.define("nightly", { schedule: '"30 2 * * mon-fri"', timeZone: '"Europe/Berlin"' });
  await service.define("monthly", { schedule: '"0 6 1 * *"' });
  const created = [action("create", "monthly"), action("create", "nightly")];
  expect(await json("apply", "--dry-run")).toEqual({ dryRun: true, changes: created });
  expect(await json()).toMatchObject([{ action: "create", nextTimes: [] }, { action: "create" }]);
  const applied = await schedules("apply");
  expect(applied).toMatchObject({ status: 0, err: "" });
  expect(applied.out.trimEnd().split("\n")).toEqual([
    "┌────────┬───────────────┬─────┐",
    "│        │ schedule      │ why │",
    "├────────┼───────────────┼─────┤",
    "│ create │ daily/monthly │     │",
    "│ create │ daily/nightly │     │",
    "└────────┴───────────────┴─────┘",
    "2 created",
  ]);
  expect((await schedules("apply")).out).toMatch(/\n2 kept\n$/);

  const handle = service.client.schedule.getHandle("daily/nightly");
  const { spec, action: started, policies } = await handle.describe();
  expect(spec.timezone).toBe("Europe/Berlin");
  expect(policies).toMatchObject({ overlap: "ALLOW_ALL", catchupWindow: 365 * 86_400_000, pauseOnFailure: false });
  const args = [{ dataset: "nightly" }];
  const wanted = { workflowType: "dailyAnalysis", workflowId: "daily/nightly", taskQueue: "analysis", args };
  expect(started).toMatchObject(wanted);
  const [, listed] = await json();
  expect(listed).toMatchObject({
    ...action("keep", "nightly"),
    schedule: "30 2 * * mon-fri",
    paused: false,
    last: null,
  });
  expect(listed.nextTimes.length).toBeGreaterThan(2);
  expect(listed.nextTimes[0]).toMatch(/T(?:00|01):30:00\.000Z$/);

  await handle.pause("maintenance");
  await handle.update((present) => ({ ...present, policies: { ...present.policies, overlap: "SKIP" } }));
  await service.define("nightly", { schedule: '"45 3 * * *"', timeZone: '"America/New_York"' });
  const updated = action("update", "nightly", ["times", "time zone", "overlap policy"]);
  expect((await json("apply", "--dry-run")).changes).toEqual([action("keep", "monthly"), updated]);
  expect((await handle.describe()).spec.timezone).toBe("Europe/Berlin");
  expect((await json("apply")).changes).toEqual([action("keep", "monthly"), updated]);
  const changed = await handle.describe();
  expect(changed.spec.timezone).toBe("America/New_York");
  expect(changed.policies.overlap).toBe("ALLOW_ALL");
  expect(changed.state).toMatchObject({ paused: true, note: "maintenance" });
  expect((await schedules()).out).toMatch(
    /│ nightly │ 45 3 \* \* \* │ America\/New_York │ +│ +│ paused: maintenance │/,
  );

  await service.define("monthly");
  expect((await json("apply")).changes).toContainEqual(action("delete", "monthly", ["the definition has no schedule"]));
  await expect(service.client.schedule.getHandle("daily/monthly").describe()).rejects.toThrow(/not found/i);
});

test("a schedule of somebody else is neither changed nor deleted, and where its id is wanted, nothing is", async () => {
  const handle = await service.client.schedule.create({
    scheduleId: "daily/taken",
    spec: { calendars: [{ hour: 1 }] },
    action: { type: "startWorkflow", workflowType: "other", taskQueue: "other" },
  });
  const dryRun = async () => (await json("apply", "--dry-run")).changes.map(({ id }: { id: string }) => id);
  expect(await dryRun()).not.toContain("daily/taken");
  await service.define("taken", { schedule: '"0 6 * * *"' });
  await service.define("waiting", { schedule: '"0 6 * * *"' });
  const reason = "was not made by this service: delete it, or give the dataset another id";
  expect((await json("apply", "--dry-run")).changes).toContainEqual(action("refuse", "taken", [reason]));
  const { status, err } = await schedules("apply");
  expect({ status, err }).toEqual({
    status: 2,
    err: `bad-request: nothing was changed: the schedule daily/taken ${reason}\n`,
  });
  expect((await handle.describe()).action).toMatchObject({ workflowType: "other" });
  expect((await json("apply", "--dry-run")).changes).toContainEqual(action("create", "waiting"));

  await handle.delete();
  await schedules("apply");
  const elsewhere = await service.run("cli", ["schedules", "apply", "--json"], { TASK_QUEUE: "another" });
  expect(elsewhere).toMatchObject({ status: 2 });
  expect(JSON.parse(elsewhere.err).error.message).toContain("was made for the task queue analysis, not for another");
});

test("a schedule whose definition is gone is deleted, once the server lists it", async () => {
  await service.define("leaving", { schedule: '"0 6 * * *"' });
  await schedules("apply");
  const folder = { DATASETS: `${service.folder}/tmp` };
  const planned = async () => {
    const { out } = await service.run("cli", ["schedules", "apply", "--dry-run", "--json"], folder);
    return JSON.parse(out).changes;
  };
  await eventually(
    async () => (await planned()).some(({ id }: { readonly id: string }) => id === "daily/leaving"),
    20_000,
  );
  expect(await planned()).toContainEqual(action("delete", "leaving", ["no definition"]));
});

test("what cannot be is said in one sentence", async () => {
  expect(await schedules("aply")).toMatchObject({ status: 2, err: expect.stringContaining("aply") });
  const away = await service.run("cli", ["schedules"], { TEMPORAL_ADDRESS: "127.0.0.1:1" });
  expect(away).toMatchObject({ status: 22, err: expect.stringContaining("no Temporal server answers at 127.0.0.1:1") });
  await service.define("never", { schedule: '"0 6 31 6 *"' });
  const { status, err } = await schedules("apply");
  expect({ status, err }).toEqual({
    status: 2,
    err: expect.stringMatching(/never\.ts: schedule: never fires: no month of 6 has a day 31/),
  });
});
