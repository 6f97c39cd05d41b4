import { beforeEach, expect, it } from "vitest";
import { BadRequest } from "../../../src/domain/model/failure.ts";
import { type DatasetId, parseDatasetId } from "../../../src/domain/value-object/dataset-id.ts";
import { createManageSchedulesInteractor } from "../../../src/usecase/interactor/manage-schedules-interactor.ts";
import type { ManageSchedulesUseCase } from "../../../src/usecase/ports/input/manage-schedules-usecase.ts";
import type { BookedSchedule } from "../../../src/usecase/ports/output/schedule-book.ts";

type There = Partial<BookedSchedule> & { readonly schedule?: string };

let definitions: Record<string, string | undefined>;
/** By id; what is wanted and what is there differ when their cron expressions do. */
let there: Map<string, There>;
let touched: string[];
let useCase: ManageSchedulesUseCase;

const idOf = (dataset: string) => `daily/${dataset}`;

beforeEach(() => {
  definitions = { flights: "0 6 * * *", orders: undefined };
  there = new Map();
  touched = [];
  const entryOf = (id: DatasetId) => ({
    id,
    digest: "d",
    file: "f",
    definition: { timeZone: "UTC", ...(definitions[id] === undefined ? {} : { schedule: definitions[id] }) } as never,
  });
  useCase = createManageSchedulesInteractor(
    { get: entryOf, list: () => Object.keys(definitions).map((id) => entryOf(parseDatasetId(id))) },
    {
      idOf,
      async read(_datasets, wanted) {
        return [...there].map(([id, { schedule, ...rest }]) => {
          const own = wanted.find(({ dataset }) => idOf(dataset) === id);
          const isSame = own === undefined || own.schedule === schedule;
          return {
            id,
            dataset: id.slice("daily/".length),
            isOwn: true,
            differences: isSame ? [] : ["times"],
            paused: false,
            note: undefined,
            nextTimes: [],
            lastDay: undefined,
            ...rest,
          };
        });
      },
      async put({ dataset, schedule }) {
        touched.push(`put ${dataset}`);
        there.set(idOf(dataset), { ...there.get(idOf(dataset)), schedule });
      },
      async remove(id) {
        touched.push(`remove ${id}`);
        there.delete(id);
      },
      statusOf: async ({ workflowId }) => (workflowId === "forgotten" ? null : "completed"),
    },
  );
});

it("makes what is wanted, puts right what differs, removes what no definition wants, and then keeps it all", async () => {
  there.set("daily/flights", { schedule: "0 5 * * *" });
  there.set("daily/orders", { schedule: "0 5 * * *" });
  there.set("daily/gone", { schedule: "0 5 * * *" });
  definitions = { ...definitions, fresh: "0 7 * * *" };
  const changes = [
    { id: "daily/flights", dataset: "flights", action: "update", reasons: ["times"] },
    { id: "daily/fresh", dataset: "fresh", action: "create", reasons: [] },
    { id: "daily/gone", dataset: "gone", action: "delete", reasons: ["no definition"] },
    { id: "daily/orders", dataset: "orders", action: "delete", reasons: ["the definition has no schedule"] },
  ];
  expect(await useCase.plan()).toEqual(changes);
  expect(await useCase.apply({ dryRun: true })).toEqual({ dryRun: true, changes });
  expect(touched).toEqual([]);
  const told: unknown[] = [];
  const onPlan = (planned: unknown) => {
    expect(touched).toEqual([]);
    told.push(planned);
  };
  expect(await useCase.apply({ dryRun: false, onPlan })).toEqual({ dryRun: false, changes });
  expect(told).toEqual([changes]);
  expect(touched).toEqual(["put flights", "put fresh", "remove daily/gone", "remove daily/orders"]);
  expect((await useCase.apply({ dryRun: false })).changes.map(({ action }) => action)).toEqual(["keep", "keep"]);
  expect(touched).toHaveLength(4);
});

it("changes nothing while an id that is wanted is somebody else's", async () => {
  there.set("daily/flights", { isOwn: false, differences: ["was not made by this service"] });
  there.set("daily/gone", { schedule: "0 5 * * *" });
  expect((await useCase.plan()).map(({ action }) => action)).toEqual(["refuse", "delete"]);
  const applied = useCase.apply({ dryRun: false });
  await expect(applied).rejects.toThrow(BadRequest);
  await expect(applied).rejects.toThrow("nothing was changed: the schedule daily/flights was not made by this service");
  expect(touched).toEqual([]);
});

it("leaves alone what is somebody else's and not wanted", async () => {
  there.set("daily/flights", { schedule: "0 6 * * *" });
  there.set("daily/orders", { isOwn: false, differences: ["was not made by this service"] });
  expect((await useCase.plan()).map(({ id, action }) => [id, action])).toEqual([["daily/flights", "keep"]]);
});

it("lists what is wanted and what is there, with the last day and its outcome", async () => {
  definitions = { flights: "0 6 * * *", fresh: "0 7 * * *", taken: "0 8 * * *", old: "0 9 * * *" };
  const nominalTime = "2026-01-01T06:00:00.000Z";
  const lastDay = { nominalTime, workflowId: "w" };
  const nextTimes = ["2026-01-02T06:00:00.000Z"];
  there.set("daily/flights", { schedule: "0 6 * * *", paused: true, note: "maintenance", lastDay });
  there.set("daily/gone", {});
  there.set("daily/old", { schedule: "0 9 * * *", nextTimes, lastDay: { nominalTime, workflowId: "forgotten" } });
  there.set("daily/taken", { isOwn: false, differences: ["is not ours"], nextTimes, lastDay });
  const none = { paused: false, note: null, nextTimes: [], last: null };
  const flights = { id: "daily/flights", dataset: "flights", schedule: "0 6 * * *", timeZone: "UTC" };
  expect(await useCase.list()).toEqual([
    {
      ...flights,
      action: "keep",
      reasons: [],
      paused: true,
      note: "maintenance",
      nextTimes: [],
      last: { ...lastDay, status: "completed" },
    },
    expect.objectContaining({ dataset: "fresh", action: "create", ...none }),
    expect.objectContaining({ dataset: "gone", action: "delete", schedule: null, timeZone: null, ...none }),
    expect.objectContaining({
      dataset: "old",
      nextTimes,
      last: { nominalTime, workflowId: "forgotten", status: null },
    }),
    expect.objectContaining({ dataset: "taken", action: "refuse", reasons: ["is not ours"], ...none }),
  ]);
});

it("begins no further change once it is asked to stop, and tells of each that was made", async () => {
  definitions = { a: "0 6 * * *", b: "0 6 * * *", c: "0 6 * * *" };
  const stopping = new AbortController();
  const done: string[] = [];
  const applying = useCase.apply({
    dryRun: false,
    signal: stopping.signal,
    onDone: ({ id }) => {
      done.push(id);
      if (id === "daily/b") stopping.abort(new Error("stop"));
    },
  });
  await expect(applying).rejects.toThrow("stop");
  expect(done).toEqual(["daily/a", "daily/b"]);
  expect(touched).toEqual(["put a", "put b"]);
});
