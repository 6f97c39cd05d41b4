import type { FastifyPluginAsync } from "fastify";
import { InputMissing } from "../../domain/model/failure.ts";
import type { RunAnalysisRequest } from "../../usecase/dto/run-analysis-input.ts";
import type { ApiUseCases } from "./create-api.ts";

const submission = {
  type: "object",
  additionalProperties: false,
  required: ["dataset", "date"],
  properties: { dataset: { type: "string" }, date: { type: "string" }, mode: { type: "string" } },
} as const;

type PartitionParams = { readonly dataset: string; readonly date: string };

/** `POST /runs` hands a run to the orchestrator, `GET /runs/{dataset}/{date}` tells how it stands and what is published. */
export function analysisController({ submit, show }: ApiUseCases): FastifyPluginAsync {
  return async (app) => {
    app.post<{ Body: RunAnalysisRequest }>("/runs", { schema: { body: submission } }, async (request, reply) => {
      const run = await submit.submit(request.body);
      return reply.code(202).header("location", `/v1/runs/${run.dataset}/${run.date}`).send(run);
    });

    app.get<{ Params: PartitionParams }>("/runs/:dataset/:date", async ({ params: { dataset, date } }) => {
      const [run, manifest] = await Promise.all([submit.describe(dataset, date), show.manifest(dataset, date)]);
      if (run === undefined && manifest === undefined) {
        throw new InputMissing(`no run of ${dataset} ${date} is known, and nothing is published`);
      }
      return { dataset, date, run: run ?? null, manifest: manifest ?? null };
    });
  };
}
