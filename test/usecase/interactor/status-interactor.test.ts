import { describe, expect, it, test } from "vitest";
import type { DatasetDefinition } from "../../../src/domain/model/dataset-definition.ts";
import { BadRequest, StoreUnavailable, UnknownDataset } from "../../../src/domain/model/failure.ts";
import { parseDatasetId } from "../../../src/domain/value-object/dataset-id.ts";
import { parseFence } from "../../../src/domain/value-object/fence.ts";
import { parseRunId } from "../../../src/domain/value-object/run-id.ts";
import { parseTargetDate } from "../../../src/domain/value-object/target-date.ts";
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
  readonly backfill?: true;
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

function worldOf({
  backfill,
  known = [],
  unknown = [],
  sightings = [],
  definition = {},
  now = morning,
  away = false,
}: Given) {
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
    backfills: {
      async underWay(dataset) {
        calls.push("asked for a backfill");
        if (away) throw new StoreUnavailable("no Temporal server answers");
        return backfill && { workflowId: `backfill/${dataset}`, runId: "r", startedAt: morning, progress: null };
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
    expect(calls).toEqual(["looked up 4", "asked 2026-02-01 to 2026-02-05", "asked for a backfill"]);
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

describe("a schedule from Monday to Friday", () => {
  // The run of Monday is for Sunday: Fridays and Saturdays are nobody's.
  const definition = { schedule: "0 6 * * mon-fri" };
  const [saturday, sunday] = ["2026-02-07T12:00:00.000Z", "2026-02-08T12:00:00.000Z"];
  const [early, late] = ["2026-02-09T07:59:00.000Z", "2026-02-09T08:00:00.000Z"];

  it("misses nothing for the days on which it is not due, whatever the range", async () => {
    const { states, status } = await statusOf(
      { known: ["2026-02-01", "2026-02-03"], definition, now: sunday },
      { from: "2026-01-30", to: "2026-02-08" },
    );
    expect(states).toEqual({
      "2026-01-30": "off",
      "2026-01-31": "off",
      "2026-02-01": "published",
      "2026-02-02": "missing",
      "2026-02-03": "published",
      "2026-02-04": "missing",
      "2026-02-05": "late",
      "2026-02-06": "off",
      "2026-02-07": "off",
      "2026-02-08": "pending",
    });
    expect(status.counts).toEqual({ published: 2, running: 0, failed: 0, late: 1, missing: 2, pending: 1, off: 4 });
  });

  it("shows what is there all the same, and what runs and what failed", async () => {
    const { states } = await statusOf(
      {
        known: ["2026-01-30", "2026-02-05"],
        sightings: [sightingOf("2026-01-31", "running"), sightingOf("2026-02-06", "failed")],
        definition,
        now: sunday,
      },
      { from: "2026-01-30", to: "2026-02-07" },
    );
    expect(states).toMatchObject({
      "2026-01-30": "published",
      "2026-01-31": "running",
      "2026-02-06": "failed",
      "2026-02-07": "off",
    });
  });

  it.each([
    ["fresh", "2026-02-05", saturday, "2026-02-05", "2026-02-06"],
    ["fresh", "2026-02-05", sunday, "2026-02-05", "2026-02-06"],
    ["late", "2026-02-04", sunday, "2026-02-05", "2026-02-06"],
    ["pending", "2026-02-05", early, "2026-02-08", "2026-02-09"],
    ["late", "2026-02-04", early, "2026-02-05", "2026-02-06"],
    ["late", "2026-02-05", late, "2026-02-08", "2026-02-09"],
    ["fresh", "2026-02-08", late, "2026-02-08", "2026-02-09"],
    // A day that nobody waits for does not make it fresh.
    ["late", "2026-02-07", late, "2026-02-08", "2026-02-09"],
  ])("is %s with %s there at %s", async (state, known, now, date, day) => {
    const { status } = await statusOf({ known: [known], definition, now });
    expect(status.freshness).toEqual({ state, date, deadline: `${day} 09:00 Europe/Berlin` });
  });

  it("ends its calendar with the newest date that is due", async () => {
    const { status } = await statusOf({ known: ["2026-02-01"], definition, now: sunday });
    expect(status.to).toBe("2026-02-05");
  });

  it("has the store asked about due dates first", async () => {
    // 35 days, of which 10 are off.
    const { calls, states } = await statusOf(
      { unknown: ["2026-01-11"], definition, now: sunday },
      { from: "2026-01-02", to: "2026-02-05" },
    );
    expect(calls).toContain("looked up 32");
    expect(states["2026-01-11"]).toBe("published");
  });
});

describe("a monthly schedule", () => {
  const definition = { schedule: "0 6 1 * *" };

  it.each([
    ["late", ["2025-11-30"], "2026-02-15T12:00:00.000Z", "2026-01-31", "2026-02-01"],
    ["fresh", ["2026-01-31"], "2026-02-28T12:00:00.000Z", "2026-01-31", "2026-02-01"],
    ["pending", ["2025-12-31"], "2026-02-01T07:00:00.000Z", "2026-01-31", "2026-02-01"],
    ["late", ["2025-12-30"], "2026-02-01T07:00:00.000Z", "2025-12-31", "2026-01-01"],
    ["late", ["2025-12-31"], "2026-02-01T08:00:00.000Z", "2026-01-31", "2026-02-01"],
  ])("is %s with %j there at %s", async (state, known, now, date, day) => {
    const { status } = await statusOf({ known, definition, now });
    expect(status.freshness).toEqual({ state, date, deadline: `${day} 09:00 Europe/Berlin` });
  });

  it("waits for one date of a month", async () => {
    const { status } = await statusOf({ known: ["2025-11-30"], definition, now: "2026-02-15T12:00:00.000Z" });
    const { from, to, counts, days } = status;
    expect({ from, to }).toEqual({ from: "2025-11-30", to: "2026-01-31" });
    expect(counts).toMatchObject({ published: 1, missing: 1, late: 1, off: 60 });
    expect(days.find(({ state }) => state === "missing")?.date).toBe("2025-12-31");
  });

  it("without a deadline is only missing", async () => {
    const { status, states } = await statusOf({
      known: ["2025-12-31"],
      definition: { ...definition, deadline: undefined } as never,
      now: "2026-02-15T12:00:00.000Z",
    });
    expect(status.freshness).toEqual({ state: "missing", date: "2026-01-31", deadline: null });
    expect([states["2026-01-30"], states["2026-01-31"]]).toEqual(["off", "missing"]);
  });
});

test("a day that never was in the zone is not missing, and counts for no lag", async () => {
  const definition = { timeZone: "Pacific/Apia" };
  const { states, status } = await statusOf({ known: ["2011-12-28"], definition, now: "2011-12-31T20:00:00.000Z" });
  expect(states).toEqual({ "2011-12-28": "published", "2011-12-29": "missing", "2011-12-31": "late" });
  expect(status.freshness).toEqual({ state: "late", date: "2011-12-31", deadline: "2012-01-01 09:00 Pacific/Apia" });
  const before = await statusOf({ known: ["2011-12-28"], definition, now: "2011-12-30T20:00:00.000Z" });
  expect(before.status.freshness).toMatchObject({ date: "2011-12-29", deadline: "2011-12-31 09:00 Pacific/Apia" });
  expect(Object.keys((await statusOf({ known: ["2011-12-28"], now: "2011-12-31T20:00:00.000Z" })).states)).toContain(
    "2011-12-30",
  );
});

test("a deadline without a schedule is one of every day", async () => {
  const { states } = await statusOf({ known: ["2026-01-31"], definition: { schedule: undefined } as never });
  expect(Object.values(states)).toEqual(["published", "missing", "missing", "missing", "late", "pending"]);
});

test("a backfill that is under way is told, and none is where Temporal is away or not asked", async () => {
  const given = { known: ["2026-02-05"], backfill: true } as const;
  const expected = { workflowId: "backfill/sales", runId: "r", startedAt: morning, progress: null };
  expect((await statusOf(given)).status.backfill).toEqual(expected);
  expect((await statusOf({ known: given.known })).status.backfill).toBeNull();
  expect((await statusOf({ ...given, away: true })).status.backfill).toBeNull();
  const alone = await statusOf(given, { fromStoreAlone: true });
  expect(alone.status.backfill).toBeNull();
  expect(alone.calls.filter((call) => call.startsWith("asked"))).toEqual([]);
});
