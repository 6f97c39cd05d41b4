import {
  type CalendarSpec,
  type CalendarSpecDescription,
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  ScheduleNotFoundError,
  type ScheduleOptions,
  WorkflowNotFoundError,
} from "@temporalio/client";
import { BadRequest } from "../../domain/model/failure.ts";
import { type Cron, parseCron } from "../../domain/service/cron-service.ts";
import type { BookedSchedule, DailyTimes, ScheduleBook } from "../../usecase/ports/output/schedule-book.ts";
import { serverFailure } from "./connection.ts";
import { runStatusOf } from "./temporal-run-orchestrator.ts";

const workflowType = "dailyAnalysis";
const prefix = "daily/";
const maker = "polars-analysis-service";
const policies = { overlap: "ALLOW_ALL", catchupWindow: 365 * 24 * 60 * 60_000, pauseOnFailure: false } as const;

/** What is written on a schedule that this service made, and never changes. */
type Mark = { readonly madeBy: string; readonly taskQueue: string };

/** Schedules `daily/<dataset>` of Temporal, each of which starts the workflow `dailyAnalysis`. */
export function createTemporalScheduleBook(connect: () => Promise<Client>, taskQueue: string): ScheduleBook {
  const mark: Mark = { madeBy: maker, taskQueue };
  return {
    idOf,

    read: (datasets, wanted) =>
      translated(async () => {
        const client = await connect();
        const ids = new Set(datasets.map(idOf));
        for await (const { scheduleId, memo } of client.schedule.list()) if (isOwn(memo)) ids.add(scheduleId);
        const descriptions = await Promise.all([...ids].toSorted().map((id) => describe(client, id)));
        return descriptions.flatMap((there) => {
          if (there === undefined) return [];
          return [
            booked(
              there,
              wanted.find(({ dataset }) => idOf(dataset) === there.scheduleId),
            ),
          ];
        });
      }),

    put: (wanted) =>
      translated(async () => {
        const client = await connect();
        const options = optionsOf(wanted);
        try {
          await client.schedule.create({ ...options, memo: mark });
        } catch (error) {
          if (!(error instanceof ScheduleAlreadyRunning)) throw error;
          const { spec, action } = options;
          await client.schedule.getHandle(options.scheduleId).update((present) => {
            requireOwn(present);
            return { spec, action, policies, state: present.state };
          });
        }
      }),

    remove: (id) =>
      translated(async () => {
        const client = await connect();
        const present = await describe(client, id);
        if (present === undefined) return;
        requireOwn(present);
        await client.schedule
          .getHandle(id)
          .delete()
          .catch((error: unknown) => {
            if (!(error instanceof ScheduleNotFoundError)) throw error;
          });
      }),

    statusOf: ({ workflowId }) =>
      translated(async () => {
        const client = await connect();
        try {
          return runStatusOf(await client.workflow.getHandle(workflowId).describe());
        } catch (error) {
          if (error instanceof WorkflowNotFoundError) return null;
          throw error;
        }
      }),
  };

  function isOwn(memo: ScheduleDescription["memo"]): boolean {
    return memo?.["madeBy"] === mark.madeBy && memo["taskQueue"] === mark.taskQueue;
  }

  function requireOwn({ scheduleId, memo }: ScheduleDescription): void {
    if (!isOwn(memo)) throw new BadRequest(`the schedule ${scheduleId} ${foreignReason(memo)}`);
  }

  function foreignReason(memo: ScheduleDescription["memo"]): string {
    return memo?.["madeBy"] === maker
      ? `was made for the task queue ${memo["taskQueue"]}, not for ${taskQueue}: delete it, or set TASK_QUEUE`
      : "was not made by this service: delete it, or give the dataset another id";
  }

  function booked(there: ScheduleDescription, wanted: DailyTimes | undefined): BookedSchedule {
    const { scheduleId, memo, state, info } = there;
    const own = isOwn(memo);
    const last = info.recentActions.at(-1);
    return {
      id: scheduleId,
      dataset: scheduleId.slice(prefix.length),
      isOwn: own,
      differences: own ? (wanted === undefined ? [] : differences(there, optionsOf(wanted))) : [foreignReason(memo)],
      paused: state.paused,
      note: state.note === "" ? undefined : state.note,
      nextTimes: state.paused ? [] : info.nextActionTimes.map((time) => time.toISOString()),
      lastDay:
        last === undefined
          ? undefined
          : { nominalTime: last.scheduledAt.toISOString(), workflowId: last.action.workflow.workflowId },
    };
  }

  function optionsOf({ dataset, schedule, timeZone }: DailyTimes): ScheduleOptions {
    const id = idOf(dataset);
    return {
      scheduleId: id,
      spec: { calendars: [calendarOf(parseCron(schedule))], timezone: timeZone },
      action: {
        type: "startWorkflow",
        workflowType,
        args: [{ dataset }],
        workflowId: id,
        taskQueue,
        staticSummary: `${dataset}, daily`,
      },
      policies,
    };
  }
}

function idOf(dataset: string): string {
  return `${prefix}${dataset}`;
}

const months = [
  "JANUARY",
  "FEBRUARY",
  "MARCH",
  "APRIL",
  "MAY",
  "JUNE",
  "JULY",
  "AUGUST",
  "SEPTEMBER",
  "OCTOBER",
  "NOVEMBER",
  "DECEMBER",
] as const;
const weekdays = ["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"] as const;

type Calendar = Required<Pick<CalendarSpec, "second" | keyof Cron>>;

/** Value by value: the server takes the lists as they are, and no notation is read twice. */
function calendarOf({ minute, hour, dayOfMonth, month, dayOfWeek }: Cron): Calendar {
  return {
    second: [0],
    minute: [...minute],
    hour: [...hour],
    dayOfMonth: [...dayOfMonth],
    month: months.filter((_, index) => month.includes(index + 1)),
    dayOfWeek: weekdays.filter((_, index) => dayOfWeek.includes(index)),
  };
}

function differences(there: ScheduleDescription, wanted: ScheduleOptions): readonly string[] {
  const { spec, action } = there;
  const hasMore = (spec.intervals ?? []).length > 0 || (spec.skip ?? []).length > 0 || (spec.jitter ?? 0) > 0;
  const isBounded = spec.startAt !== undefined || spec.endAt !== undefined;
  const calendars = (spec.calendars ?? []).map(normalized);
  const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);
  const wantedAction = wanted.action;
  return Object.entries({
    times: !hasMore && !isBounded && same(calendars, wanted.spec.calendars?.map(ofCalendar)),
    "time zone": (spec.timezone || "UTC") === wanted.spec.timezone,
    workflow:
      action.workflowType === wantedAction.workflowType &&
      action.workflowId === wantedAction.workflowId &&
      action.taskQueue === wantedAction.taskQueue &&
      same(action.args, wantedAction.args),
    "overlap policy": there.policies.overlap === policies.overlap,
    "catch-up window": there.policies.catchupWindow === policies.catchupWindow,
    "pause on failure": there.policies.pauseOnFailure === policies.pauseOnFailure,
  }).flatMap(([name, isSame]) => (isSame ? [] : [name]));
}

function ofCalendar(calendar: CalendarSpec): readonly unknown[] {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek } = calendar;
  return [second, minute, hour, dayOfMonth, month, dayOfWeek, []];
}

function normalized(calendar: CalendarSpecDescription): readonly unknown[] {
  const { second, minute, hour, dayOfMonth, month, year, dayOfWeek } = calendar;
  return [
    expanded(second),
    expanded(minute),
    expanded(hour),
    expanded(dayOfMonth),
    expanded(month.map((range) => indexed(range, months))).map((index) => months[index]),
    expanded(dayOfWeek.map((range) => indexed(range, weekdays))).map((index) => weekdays[index]),
    expanded(year),
  ];
}

type NumberRange = { readonly start: number; readonly end: number; readonly step: number };

function indexed<T>({ start, end, step }: { start: T; end: T; step: number }, names: readonly T[]): NumberRange {
  return { start: names.indexOf(start), end: names.indexOf(end), step };
}

function expanded(ranges: readonly NumberRange[]): readonly number[] {
  const values = ranges.flatMap(({ start, end, step }) => {
    const last = Math.max(start, end);
    return Array.from(
      { length: Math.floor((last - start) / Math.max(step, 1)) + 1 },
      (_, index) => start + index * Math.max(step, 1),
    );
  });
  return [...new Set(values)].toSorted((a, b) => a - b);
}

async function describe(client: Client, id: string): Promise<ScheduleDescription | undefined> {
  try {
    return await client.schedule.getHandle(id).describe();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // The client's word for a specification that the server refuses.
    if (error instanceof TypeError) {
      throw new BadRequest(`the Temporal server refuses the schedule: ${error.message}`, { cause: error });
    }
    throw serverFailure(error) ?? error;
  }
}
