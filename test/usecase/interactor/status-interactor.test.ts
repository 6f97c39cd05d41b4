import { describe, expect, it, test } from "vitest";
import type { DatasetDefinition } from "../../../src/domain/model/dataset-definition.ts";
import { BadRequest, StoreUnavailable, UnknownDataset } from "../../../src/domain/model/failure.ts";
import { parseDatasetId } from "../../../src/domain/value-object/dataset-id.ts";
import { parseFence } from "../../../src/domain/value-object/fence.ts";
import { parseRunId } from "../../../src/domain/value-object/run-id.ts";
import { parseTargetDate } from "../../../src/domain/value-object/target-date.ts";
import { localTime } from "../../../src/usecase/interactor/status-dates.ts";
import { createStatusInteractor, type StatusPorts } from "../../../src/usecase/interactor/status-interactor.ts";
import type { IndexedResult } from "../../../src/usecase/ports/output/result-index.ts";
import type { RunSighting } from "../../../src/usecase/ports/output/run-orchestrator.ts";

type Given = {
  /** What the index knows. */
  readonly known?: readonly string[];
  /** What is published though the index lacks it. */
  readonly unknown?: readonly string[];
  readonly sightings?: readonly RunSighting[];
  readonly definition?: Partial<DatasetDefinition>;
  readonly now?: string;
  readonly away?: boolean;
};

const morning = "2026-02-06T07:00:00.000Z";

function resultOf(date: string, publishedAt = `${date}T23:00:00.000Z`): IndexedResult {
  return {
    date: parseTargetDate(date),
    fence: parseFence(publishedAt),
    runId: parseRunId(`run-${date}`),
    publishedAt,
    rows: 1,
    sizeBytes: 2,
    definitionDigest: "d",
    inputsDigest: "i",
  };
}

function sightingOf(date: string, status: "running" | "failed", closedAt = "2026-02-06T06:30:00.000Z"): RunSighting {
  const run = { date: parseTargetDate(date), workflowId: `analysis/sales/${date}`, runId: "r", startedAt: closedAt };
  return status === "running" ? { ...run, status } : { ...run, status, closedAt };
}

function worldOf({ known = [], unknown = [], sightings = [], definition = {}, now = morning, away = false }: Given) {
  const calls: string[] = [];
  let indexed = known.map((date) => resultOf(date));
  const entry = {
    id: parseDatasetId("sales"),
    digest: "d",
    file: "/sales.ts",
    definition: { title: "Sales", timeZone: "Europe/Berlin", schedule: "0 6 * * *", deadline: "09:00", ...definition },
  };
  const ports: StatusPorts = {
    catalog: {
      get(id) {
        if (id !== entry.id) throw new UnknownDataset(`there is no dataset ${id}`);
        return entry as never;
      },
      list: () => [entry as never],
    },
    index: {
      read: async () => indexed,
      async lookUp(_, dates) {
        calls.push(`looked up ${dates.length}`);
        return dates.filter((date) => unknown.includes(date)).map((date) => resultOf(date));
      },
      async rebuild() {
        calls.push("rebuilt");
        indexed = [...known, ...unknown].toSorted().map((date) => resultOf(date));
        return { results: indexed.length, repaired: unknown.length };
      },
    },
    orchestrator: {
      async statesOf(_, first, last) {
        calls.push(`asked ${first} to ${last}`);
        if (away) throw new StoreUnavailable("no Temporal server answers");
        return sightings;
      },
    },
    now: () => new Date(now),
  };
  return { useCase: createStatusInteractor(ports), calls };
}

async function statusOf(given: Given, request: Parameters<ReturnType<typeof worldOf>["useCase"]["status"]>[0] = {}) {
  const { useCase, calls } = worldOf(given);
  const report = await useCase.status(request);
  const [status] = report.datasets;
  if (status === undefined) throw new Error("no dataset");
  const states = Object.fromEntries(status.days.map(({ date, state }) => [date, state]));
  return { report, status, states, calls };
}

describe("the calendar", () => {
  it("goes from the first published date to the newest that is expected by now", async () => {
    const { status, states } = await statusOf({ known: ["2026-02-02", "2026-02-04"] });
    expect(states).toEqual({
      "2026-02-02": "published",
      "2026-02-03": "missing",
      "2026-02-04": "published",
      // 08:00 in Berlin: there is an hour left.
      "2026-02-05": "pending",
    });
    expect(status).toMatchObject({ counts: { published: 2, missing: 1, pending: 1, late: 0 }, results: 2 });
    expect(status.lastSuccess).toEqual({ date: "2026-02-04", publishedAt: "2026-02-04T23:00:00.000Z" });
  });

  it("shows 90 days where nothing is published, and 20 years at the most", async () => {
    expect((await statusOf({})).status).toMatchObject({ from: "2025-11-08", to: "2026-02-05" });
    const { status } = await statusOf({ known: ["1950-01-01"] });
    expect(status.days).toHaveLength(7310);
  });

  it("ends with the last result where neither schedule nor deadline waits for a date", async () => {
    const { status, states } = await statusOf({
      known: ["2013-02-05", "2013-02-07"],
      definition: { schedule: undefined, deadline: undefined } as never,
    });
    expect(states).toEqual({ "2013-02-05": "published", "2013-02-06": "missing", "2013-02-07": "published" });
    expect(status.freshness).toBeNull();
  });

  it("takes running and failed from the orchestrator; a result that is newer makes good for a failure", async () => {
    const { states, status } = await statusOf(
      {
        known: ["2026-02-01", "2026-02-02", "2026-02-03"],
        sightings: [
          sightingOf("2026-02-01", "failed", "2026-02-01T22:00:00.000Z"),
          sightingOf("2026-02-02", "failed"),
          sightingOf("2026-02-03", "running"),
          sightingOf("2026-02-04", "failed"),
          sightingOf("2026-02-05", "running"),
        ],
      },
      { dataset: "sales" },
    );
    expect(Object.values(states)).toEqual(["published", "failed", "running", "failed", "running"]);
    expect(status.results).toBe(3);
  });

  it("tells from the store alone what it can when the orchestrator is away, and says so", async () => {
    const { report, states } = await statusOf({ known: ["2026-02-05"], away: true });
    expect(report.temporal).toEqual({ asked: false, message: "no Temporal server answers" });
    expect(states).toEqual({ "2026-02-05": "published" });
    const alone = await statusOf({ known: ["2026-02-05"], away: true }, { fromStoreAlone: true });
    expect(alone.report.temporal).toEqual({ asked: false, message: null });
    expect(alone.calls.filter((call) => call.startsWith("asked"))).toEqual([]);
  });

  it("asks the store itself about the newest dates that the index lacks", async () => {
    const { states, calls } = await statusOf({ known: ["2026-02-01"], unknown: ["2026-02-05"] });
    expect(states["2026-02-05"]).toBe("published");
    expect(calls).toEqual(["looked up 4", "asked 2026-02-01 to 2026-02-05"]);
  });

  it("has an index made anew that is behind, when more dates are lacking than were looked up", async () => {
    const { status, calls } = await statusOf({ known: ["2025-01-01"], unknown: ["2025-01-02", "2026-02-05"] });
    expect(calls.slice(0, 2)).toEqual(["looked up 32", "rebuilt"]);
    expect(status.counts.published).toBe(3);
    const gaps = await statusOf({ known: ["2025-01-01"] });
    expect(gaps.calls).not.toContain("rebuilt");
  });
});

test.each([
  ["fresh", ["2026-02-04", "2026-02-05"], morning, "2026-02-05"],
  ["fresh", ["2026-02-05"], "2026-02-06T20:00:00.000Z", "2026-02-05"],
  ["pending", ["2026-02-04"], "2026-02-06T07:59:00.000Z", "2026-02-05"],
  ["late", ["2026-02-04"], "2026-02-06T08:00:00.000Z", "2026-02-05"],
  // Yesterday's is not there either, and today's deadline does not hide that.
  ["late", ["2026-02-03"], morning, "2026-02-04"],
])("today is %s when %j are there at %s", async (state, known, now, date) => {
  expect((await statusOf({ known, now })).status.freshness).toMatchObject({ state, date });
});

test("an old day that is filled in never makes a late today look fresh", async () => {
  const now = "2026-02-06T12:00:00.000Z";
  const before = await statusOf({ known: ["2026-02-01", "2026-02-03"], now });
  const after = await statusOf({ known: ["2026-02-01", "2026-02-02", "2026-02-03", "2026-02-04"], now });
  for (const { status, states } of [before, after]) {
    expect(states["2026-02-05"]).toBe("late");
    expect(status.freshness).toEqual({
      state: "late",
      date: "2026-02-05",
      deadline: "2026-02-06 09:00 Europe/Berlin",
    });
  }
});

test("without a deadline nothing is late, and today is only missing", async () => {
  const { status, states } = await statusOf({ known: ["2026-02-04"], definition: { deadline: undefined } as never });
  expect(states["2026-02-05"]).toBe("missing");
  expect(status.freshness).toEqual({ state: "missing", date: "2026-02-05", deadline: null });
});

test("freshness looks at its own date, whatever range is shown", async () => {
  const { status } = await statusOf({ known: ["2026-02-05"] }, { from: "2020-01-01", to: "2020-01-03" });
  expect(status.days).toHaveLength(3);
  expect(status.freshness).toMatchObject({ state: "fresh" });
});

test.each([
  ["reversed", { from: "2026-02-05", to: "2026-02-04" }, "from must not be after to, got 2026-02-05 to 2026-02-04"],
  [
    "empty before today",
    { dataset: "sales", from: "2026-02-06" },
    "from must not be after to, got 2026-02-06 to 2026-02-05",
  ],
  [
    "too long",
    { from: "1990-01-01", to: "2026-02-05" },
    "a range must have at most 7310 days, 20 years, got 13185 from 1990-01-01 to 2026-02-05",
  ],
  [
    "too long up to today",
    { from: "1990-01-01" },
    "a range must have at most 7310 days, 20 years, got 13185 from 1990-01-01 to 2026-02-05",
  ],
  ["without a date", { from: "" }, 'from: date must have the form YYYY-MM-DD, got ""'],
  [
    "of days that do not exist",
    { to: "2026-02-30" },
    "to: date must be a day of the calendar, 2026-02-30 does not exist",
  ],
])("a range that is %s is refused", async (_, request, message) => {
  await expect(statusOf({}, request)).rejects.toThrow(new BadRequest(message));
});

test("a dataset that no definition has is refused, by rebuild as well", async () => {
  await expect(statusOf({}, { dataset: "nope" })).rejects.toThrow(UnknownDataset);
  await expect(worldOf({}).useCase.rebuild("nope")).rejects.toThrow(UnknownDataset);
  expect(await worldOf({ known: ["2026-02-05"] }).useCase.rebuild()).toEqual([
    { dataset: "sales", results: 1, repaired: 0 },
  ]);
});

test.each([
  ["2026-03-29T00:59:00.000Z", "Europe/Berlin", "2026-03-29", "01:59"],
  ["2026-03-29T01:00:00.000Z", "Europe/Berlin", "2026-03-29", "03:00"],
  ["2026-10-25T00:30:00.000Z", "Europe/Berlin", "2026-10-25", "02:30"],
  ["2011-12-30T09:59:00.000Z", "Pacific/Apia", "2011-12-29", "23:59"],
  ["2011-12-30T10:00:00.000Z", "Pacific/Apia", "2011-12-31", "00:00"],
  ["2026-02-05T18:15:00.000Z", "Asia/Kathmandu", "2026-02-06", "00:00"],
])("%s in %s is %s %s", (now, timeZone, date, time) => {
  expect(localTime(new Date(now), timeZone)).toEqual({ date, time });
});
