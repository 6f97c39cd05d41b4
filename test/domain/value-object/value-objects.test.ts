import { describe, expect, it } from "vitest";
import { AnalysisFailure, BadRequest, failureCodes, failureOf } from "../../../src/domain/model/failure.ts";
import { retryDelayMs } from "../../../src/domain/service/retry-service.ts";
import { parseDatasetId } from "../../../src/domain/value-object/dataset-id.ts";
import { fenceKey, isOlder, parseFence } from "../../../src/domain/value-object/fence.ts";
import { compareInputs } from "../../../src/domain/value-object/fingerprint.ts";
import { parseRunId } from "../../../src/domain/value-object/run-id.ts";
import { parseRunMode } from "../../../src/domain/value-object/run-mode.ts";
import { parseTargetDate } from "../../../src/domain/value-object/target-date.ts";

describe("a target date", () => {
  it.each(["2026-02-28", "2024-02-29", "2000-02-29", "1900-01-01", "2199-12-31", "2011-12-30"])("may be %s", (text) => {
    expect(parseTargetDate(text)).toBe(text);
  });

  it.each([
    "2026-02-30",
    "2025-02-29",
    "1900-02-29",
    "2026-13-01",
    "2026-00-10",
    "2026-01-00",
    "2026-04-31",
    "0000-01-01",
    "1899-12-31",
    "2200-01-01",
    "2026-2-3",
    "2026-02-03\n",
    " 2026-02-03",
    "20260203",
    "2026-02-03T00:00:00Z",
    "٢٠٢٦-٠٢-٠٣",
    "",
    undefined,
    null,
    20260203,
    ["2026-02-03"],
  ])("may not be %j", (text) => {
    expect(() => parseTargetDate(text)).toThrow(BadRequest);
  });
});

describe("a dataset id", () => {
  it.each(["a", "flights", "a-b", "a1", "9", "x".repeat(40)])("may be %s", (text) => {
    expect(parseDatasetId(text)).toBe(text);
  });

  it.each(["", "A", "a/b", "../x", "-a", "a-", "a_b", "ä", "x".repeat(41), "a\n", "😀", undefined, 1])(
    "may not be %j",
    (text) => {
      expect(() => parseDatasetId(text)).toThrow(BadRequest);
    },
  );
});

describe("a mode", () => {
  it("is `changed` unless it is said", () => {
    expect([undefined, null, "", "changed", "missing", "force"].map(parseRunMode)).toEqual([
      "changed",
      "changed",
      "changed",
      "changed",
      "missing",
      "force",
    ]);
  });

  it("is refused when it is not known, with what is", () => {
    expect(() => parseRunMode("Force")).toThrow(/one of changed, missing, force, got "Force"/);
  });
});

describe("a run id", () => {
  it("fits into keys", () => {
    expect(parseRunId("01a2131b-fee5-7472-8e7a-c58e5816ee8f")).toBe("01a2131b-fee5-7472-8e7a-c58e5816ee8f");
    for (const text of ["", "a/b", "..", "a b", "x".repeat(65), undefined])
      expect(() => parseRunId(text)).toThrow(BadRequest);
  });
});

describe("a fence", () => {
  it("is an instant in UTC to the millisecond, whatever the offset it was given in", () => {
    expect(parseFence("2026-02-05T07:00:00+01:00")).toBe("2026-02-05T06:00:00.000Z");
    expect(fenceKey(parseFence("2026-02-05T06:00:00.123Z"))).toBe("20260205T060000123Z");
    for (const text of ["2026-02-05", "now", "1234", "2026-02-05T06:00:00", "2026-13-05T06:00:00Z", undefined]) {
      expect(() => parseFence(text)).toThrow(BadRequest);
    }
  });

  it("orders runs, and the run id decides between two of one instant", () => {
    const at = (fence: string, runId: string) => ({ fence: parseFence(fence), runId: parseRunId(runId) });
    const [a, b, c] = [
      at("2026-01-01T00:00:00Z", "z"),
      at("2026-01-01T00:00:00.001Z", "a"),
      at("2026-01-01T00:00:00.001Z", "b"),
    ];
    expect([isOlder(a, b), isOlder(b, a), isOlder(b, c), isOlder(c, b), isOlder(a, a)]).toEqual([
      true,
      false,
      true,
      false,
      false,
    ]);
  });
});

describe("inputs of now and then", () => {
  const file = (uri: string, known: { sha256?: string; etag?: string; modifiedAt?: string; sizeBytes?: number }) => ({
    uri,
    ...known,
  });

  it("are the same by content, wherever and in whatever order it lies", () => {
    const then = [file("a", { sha256: "1" }), file("b", { sha256: "2" })];
    expect(compareInputs([file("y", { sha256: "2" }), file("x", { sha256: "1" })], then)).toBe("same");
    expect(compareInputs([file("a", { sha256: "1" }), file("b", { sha256: "3" })], then)).toBe("different");
    expect(compareInputs([file("a", { sha256: "1" })], then)).toBe("different");
    expect(compareInputs([file("a", { sha256: "1" }), file("b", { sha256: "1" })], then)).toBe("different");
  });

  it("are the same by a strong validator of the same address", () => {
    const then = [file("a", { sha256: "1", etag: '"v1"' })];
    expect(compareInputs([file("a", { etag: '"v1"' })], then)).toBe("same");
    expect(compareInputs([file("b", { etag: '"v1"' })], then)).toBe("unknown");
    expect(compareInputs([file("a", { etag: '"v2"' })], then)).toBe("unknown");
  });

  it("are the same address by address where some have a sha256 and some a validator", () => {
    const staged = file("a", { sha256: "1", etag: '"v1"' });
    const inPlace = file("b", { etag: '"v1"' });
    expect(compareInputs([inPlace, staged], [staged, inPlace])).toBe("same");
    expect(compareInputs([file("a", { etag: '"v1"' }), inPlace], [staged, inPlace])).toBe("same");
    expect(compareInputs([file("a", { sha256: "1" }), inPlace], [staged, inPlace])).toBe("same");
    expect(compareInputs([staged, file("b", { etag: '"v2"' })], [staged, inPlace])).toBe("unknown");
    expect(compareInputs([staged, file("b", {})], [staged, inPlace])).toBe("unknown");
    expect(compareInputs([staged, file("b", {})], [staged, file("b", {})])).toBe("unknown");
    expect(compareInputs([staged, file("c", { etag: '"v1"' })], [staged, inPlace])).toBe("unknown");
    expect(compareInputs([file("a", { sha256: "2", etag: '"v1"' }), inPlace], [staged, inPlace])).toBe("unknown");
    expect(compareInputs([staged], [staged, inPlace])).toBe("different");
  });

  it("are never proven by size, time or version", () => {
    const hint = { sizeBytes: 1, modifiedAt: "2026-01-01T00:00:00.000Z", versionId: "v1" };
    expect(compareInputs([file("a", hint)], [file("a", { ...hint, sha256: "1" })])).toBe("unknown");
  });
});

describe("failures", () => {
  it("keep code, sentence and details through a border", () => {
    for (const code of failureCodes) {
      const failure = failureOf(code, "what happened", { retryAfterMs: 5 });
      expect(failure).toBeInstanceOf(AnalysisFailure);
      expect([failure.code, failure.message, failure.details]).toEqual([code, "what happened", { retryAfterMs: 5 }]);
    }
  });

  it("are retried by their code, a bounded number of times, with growing pauses", () => {
    expect([1, 2, 3].map((count) => retryDelayMs("input-missing", count))).toEqual([2_000, 4_000, undefined]);
    expect([1, 2].map((count) => retryDelayMs("crashed", count))).toEqual([100, undefined]);
    for (const code of [
      "bad-request",
      "unknown-dataset",
      "input-invalid",
      "checks-failed",
      "out-of-memory",
      "timed-out",
      "store-unsafe",
    ] as const) {
      expect(retryDelayMs(code, 1)).toBeUndefined();
    }
    for (const code of failureCodes) expect(retryDelayMs(code, 100)).toBeUndefined();
  });

  it("wait as long as the source asks, up to a quarter of an hour", () => {
    expect(retryDelayMs("source-unavailable", 1, 7_000)).toBe(7_000);
    expect(retryDelayMs("source-unavailable", 1, 10)).toBe(1_000);
    expect(retryDelayMs("source-unavailable", 1, 10 ** 9)).toBe(15 * 60_000);
  });
});
