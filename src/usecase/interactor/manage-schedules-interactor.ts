import { BadRequest } from "../../domain/model/failure.ts";
import type { ListedSchedule, ScheduleChange } from "../dto/schedule-report.ts";
import type { ManageSchedulesUseCase } from "../ports/input/manage-schedules-usecase.ts";
import type { DatasetCatalog } from "../ports/output/dataset-catalog.ts";
import type { BookedSchedule, DailyTimes, ScheduleBook } from "../ports/output/schedule-book.ts";

/** A schedule that is wanted, there, or both. */
type Entry = {
  readonly change: ScheduleChange;
  readonly wanted: DailyTimes | undefined;
  readonly booked: BookedSchedule | undefined;
};

export function createManageSchedulesInteractor(catalog: DatasetCatalog, book: ScheduleBook): ManageSchedulesUseCase {
  return {
    list: async () => Promise.all((await read()).map(listed)),

    plan: async () => (await read()).map(({ change }) => change),

    async apply({ dryRun, onPlan, onDone, signal }) {
      const entries = await read();
      const changes = entries.map(({ change }) => change);
      onPlan?.(changes);
      if (dryRun) return { dryRun, changes };
      const refused = changes.filter(({ action }) => action === "refuse");
      if (refused.length > 0) {
        throw new BadRequest(
          `nothing was changed: ${refused.map(({ id, reasons }) => `the schedule ${id} ${reasons.join(", ")}`).join("; ")}`,
        );
      }
      for (const { change, wanted } of entries) {
        if (change.action === "keep") continue;
        signal?.throwIfAborted();
        if (change.action === "delete") await book.remove(change.id);
        else if (wanted !== undefined) await book.put(wanted);
        onDone?.(change);
      }
      return { dryRun, changes };
    },
  };

  async function read(): Promise<readonly Entry[]> {
    const definitions = catalog.list();
    const wanted = definitions.flatMap(({ id: dataset, definition: { schedule, timeZone } }) =>
      schedule === undefined ? [] : [{ dataset, schedule, timeZone }],
    );
    const booked = await book.read(
      definitions.map(({ id }) => id),
      wanted,
    );
    const wantedIds = new Set(wanted.map(({ dataset }) => book.idOf(dataset)));
    const entries: Entry[] = [
      ...wanted.map((times) => {
        const id = book.idOf(times.dataset);
        const there = booked.find((each) => each.id === id);
        return { change: { id, dataset: times.dataset, ...changeOf(there) }, wanted: times, booked: there };
      }),
      ...booked
        .filter(({ id, isOwn }) => isOwn && !wantedIds.has(id))
        .map((there) => ({ change: removal(there), wanted: undefined, booked: there })),
    ];
    return entries.toSorted((a, b) => (a.change.dataset < b.change.dataset ? -1 : 1));
  }

  function removal({ id, dataset }: BookedSchedule): ScheduleChange {
    const isDefined = catalog.list().some((entry) => entry.id === dataset);
    return { id, dataset, action: "delete", reasons: [isDefined ? "the definition has no schedule" : "no definition"] };
  }

  async function listed({ change, wanted, booked }: Entry): Promise<ListedSchedule> {
    const own = booked?.isOwn === true ? booked : undefined;
    const last = own?.lastDay;
    return {
      ...change,
      schedule: wanted?.schedule ?? null,
      timeZone: wanted?.timeZone ?? null,
      paused: own?.paused ?? false,
      note: own?.note ?? null,
      nextTimes: own?.nextTimes ?? [],
      last: last === undefined ? null : { ...last, status: await book.statusOf(last) },
    };
  }
}

function changeOf(booked: BookedSchedule | undefined): Pick<ScheduleChange, "action" | "reasons"> {
  if (booked === undefined) return { action: "create", reasons: [] };
  if (!booked.isOwn) return { action: "refuse", reasons: booked.differences };
  return { action: booked.differences.length === 0 ? "keep" : "update", reasons: booked.differences };
}
