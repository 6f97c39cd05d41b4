import { expect, test } from "vitest";
import {
  BadRequest,
  failureCodes,
  failureOf,
  InputMissing,
  StoreUnavailable,
  UnknownDataset,
} from "../../../src/domain/model/failure.ts";
import { createApi } from "../../../src/interface/api/create-api.ts";
import { presentFailure } from "../../../src/interface/presenter/failure-presenter.ts";
import type { ShowResultUseCase } from "../../../src/usecase/ports/input/show-result-usecase.ts";
import type { SubmitAnalysisUseCase } from "../../../src/usecase/ports/input/submit-analysis-usecase.ts";
import { fakeManifest } from "../../support/fake-run-analysis.ts";

const identity = { workflowId: "analysis/totals/2026-01-01", runId: "run-1" };
const manifest = fakeManifest({
  dataset: "totals",
  date: "2026-01-01",
  runId: "run-1",
  fence: "2026-01-02T00:00:00.000Z",
});

/** Known are a dataset `totals` and its date 2026-01-01; the date 2026-01-02 was never run. */
function world(instead: { readonly submit?: unknown } = {}) {
  const asked: unknown[] = [];
  const submit: SubmitAnalysisUseCase = {
    async submit(request) {
      asked.push(request);
      if (instead.submit !== undefined) throw instead.submit;
      return { dataset: request.dataset, date: request.date, ...identity };
    },
    wait: () => Promise.reject(new Error("the API never waits")),
    async describe(dataset, date) {
      if (dataset !== "totals") throw new UnknownDataset(`there is no dataset ${dataset}`);
      if (date === "2026-02-30") throw new BadRequest("date must be a day of the calendar, 2026-02-30 does not exist");
      return date === "2026-01-01"
        ? { ...identity, status: "completed", startedAt: "2026-01-02T00:00:00.000Z" }
        : undefined;
    },
  };
  const show: ShowResultUseCase = {
    show: () => Promise.reject(new InputMissing("not asked for")),
    manifest: async (_dataset, date) => (date === "2026-01-01" ? manifest : undefined),
  };
  return { api: createApi({ submit, show }), asked };
}

async function post(body: unknown, instead: { readonly submit?: unknown } = {}, type = "application/json") {
  const { api, asked } = world(instead);
  const payload = typeof body === "string" ? body : JSON.stringify(body);
  const response = await api.inject({ method: "POST", url: "/v1/runs", headers: { "content-type": type }, payload });
  await api.close();
  return { response, asked };
}

async function get(url: string) {
  const { api } = world();
  const response = await api.inject({ method: "GET", url });
  await api.close();
  return response;
}

test("a run is accepted with 202, its identity, and the place to look", async () => {
  const { response, asked } = await post({ dataset: "totals", date: "2026-01-01", mode: "force" });
  expect(response.statusCode).toBe(202);
  expect(response.headers["location"]).toBe("/v1/runs/totals/2026-01-01");
  expect(response.json()).toEqual({ dataset: "totals", date: "2026-01-01", ...identity });
  expect(asked).toEqual([{ dataset: "totals", date: "2026-01-01", mode: "force" }]);
});

test.each([
  ["JSON that is cut", '{"dataset": "totals"', "application/json"],
  ["an empty body", "", "application/json"],
  ["a list", "[]", "application/json"],
  ["no date", '{"dataset":"totals"}', "application/json"],
  ["a number as date", '{"dataset":"totals","date":20260101}', "application/json"],
  ["a null", '{"dataset":null,"date":"2026-01-01"}', "application/json"],
  ["a field that is not known", '{"dataset":"totals","date":"2026-01-01","runId":"x"}', "application/json"],
  ["another media type", "dataset=totals", "application/x-www-form-urlencoded"],
  ["a body beyond 16 KiB", JSON.stringify({ dataset: "x".repeat(20_000), date: "2026-01-01" }), "application/json"],
])("a request with %s is a malformed one and starts nothing", async (_, body, type) => {
  const { response, asked } = await post(body, {}, type);
  expect(response.statusCode).toBe(400);
  expect(response.headers["content-type"]).toMatch(/^application\/problem\+json/);
  expect(response.json()).toMatchObject({
    type: "urn:polars-analysis-service:bad-request",
    title: "The request is malformed",
    status: 400,
    code: "bad-request",
    detail: expect.stringMatching(/./),
  });
  expect(asked).toEqual([]);
});

test.each(failureCodes)("%s is a problem with its status, its sentence and its details", async (code) => {
  const failure = failureOf(code, "totals is at fault", { hint: 1 });
  const { response } = await post({ dataset: "totals", date: "2026-01-01" }, { submit: failure });
  const { httpStatus, title } = presentFailure(failure);
  expect(response.statusCode).toBe(httpStatus);
  expect(response.headers["content-type"]).toMatch(/^application\/problem\+json/);
  expect(response.json()).toEqual({
    type: `urn:polars-analysis-service:${code}`,
    title,
    status: httpStatus,
    detail: "totals is at fault",
    code,
    hint: 1,
  });
});

test("a fault of this service shows its sentence and no stack", async () => {
  const { response } = await post(
    { dataset: "totals", date: "2026-01-01" },
    { submit: new TypeError("x is undefined") },
  );
  expect(response.statusCode).toBe(500);
  expect(response.json()).toMatchObject({ code: "crashed", detail: "unexpected: x is undefined" });
  expect(response.body).not.toContain("    at ");
});

test("a detail cannot take the place of what the problem says by itself", async () => {
  const failure = new StoreUnavailable("away", { details: { status: 200, code: "fine", detail: "all is well" } });
  const { response } = await post({ dataset: "totals", date: "2026-01-01" }, { submit: failure });
  expect(response.json()).toMatchObject({ status: 503, code: "store-unavailable", detail: "away" });
});

test("a date shows the state of its last run and what is published", async () => {
  const response = await get("/v1/runs/totals/2026-01-01");
  expect(response.statusCode).toBe(200);
  expect(response.json()).toEqual({
    dataset: "totals",
    date: "2026-01-01",
    run: { ...identity, status: "completed", startedAt: "2026-01-02T00:00:00.000Z" },
    manifest: JSON.parse(JSON.stringify(manifest)),
  });
});

test.each([
  ["a date that was never run", "/v1/runs/totals/2026-01-02", 404, "input-missing"],
  ["an unknown dataset", "/v1/runs/absent/2026-01-01", 404, "unknown-dataset"],
  ["a date that does not exist", "/v1/runs/totals/2026-02-30", 400, "bad-request"],
] as const)("%s is a problem", async (_, url, status, code) => {
  const response = await get(url);
  expect(response.statusCode).toBe(status);
  expect(response.json()).toMatchObject({ status, code });
});

test.each(["/", "/v1/runs", "/v1/runs/totals", "/v2/runs/totals/2026-01-01"])(
  "there is nothing at GET %s",
  async (url) => {
    const response = await get(url);
    expect(response.statusCode).toBe(404);
    expect(response.headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect(response.json()).toMatchObject({ status: 404, detail: `there is no GET ${url}` });
  },
);

test("healthz answers without asking anyone", async () => {
  const response = await get("/healthz");
  expect([response.statusCode, response.json()]).toEqual([200, { status: "ok" }]);
});
