import { expect, test } from "vitest";
import { parseDatasetId } from "../../../src/domain/value-object/dataset-id.ts";
import type { CliServices } from "../../../src/interface/cli/cli-services.ts";
import { runCli } from "../../../src/interface/cli/program.ts";
import { Stopped } from "../../../src/interface/stop-requested.ts";
import { createManageSchedulesInteractor } from "../../../src/usecase/interactor/manage-schedules-interactor.ts";

/** Four datasets with a schedule; Ctrl-C comes when one of them is put, which is not answered then. */
async function applyUntil(stopAt: string | undefined, args: readonly string[] = []) {
  const stopping = new AbortController();
  const put: string[] = [];
  const entries = ["a", "b", "c", "d"].map((id) => ({
    id: parseDatasetId(id),
    digest: "d",
    file: "f",
    definition: { timeZone: "UTC", schedule: "0 6 * * *" } as never,
  }));
  const useCase = createManageSchedulesInteractor(
    {
      get: () => {
        throw new Error("nobody asks for one");
      },
      list: () => entries,
    },
    {
      idOf: (dataset) => `daily/${dataset}`,
      read: async () => [],
      async put({ dataset }) {
        put.push(dataset);
        if (dataset !== stopAt) return;
        stopping.abort(new Stopped("SIGINT"));
        await new Promise(() => {});
      },
      remove: async () => {},
      statusOf: async () => null,
    },
  );
  const text = { out: "", err: "" };
  const services: Partial<CliServices> = {
    version: "1",
    schedules: async () => ({ useCase, [Symbol.asyncDispose]: async () => {} }),
  };
  const status = await runCli(
    ["schedules", "apply", ...args],
    services as CliServices,
    {
      out: (more) => {
        text.out += more;
      },
      err: (more) => {
        text.err += more;
      },
      width: 80,
      interactive: false,
      redraws: false,
    },
    stopping.signal,
  );
  return { status, ...text, put };
}

test("Ctrl-C ends schedules apply at once, says what was not done, and begins nothing more", async () => {
  const { status, err, put } = await applyUntil("b");
  expect({ status, err }).toEqual({
    status: 130,
    err: "stopped: asked to end by SIGINT; not done: create daily/b, create daily/c, create daily/d\n",
  });
  await new Promise(setImmediate);
  expect(put).toEqual(["a", "b"]);
});

test("in JSON what was not done is in the error", async () => {
  const { status, out, err } = await applyUntil("c", ["--json"]);
  expect({ status, out }).toEqual({ status: 130, out: "" });
  expect(JSON.parse(err)).toMatchObject({
    error: { code: "stopped", notDone: [{ id: "daily/c", action: "create" }, { id: "daily/d" }] },
  });
});

test("nothing is left without Ctrl-C", async () => {
  const { status, err, put } = await applyUntil(undefined);
  expect({ status, err, put }).toEqual({ status: 0, err: "", put: ["a", "b", "c", "d"] });
});
