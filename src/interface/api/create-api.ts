import Fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { BadRequest } from "../../domain/model/failure.ts";
import type { ShowResultUseCase } from "../../usecase/ports/input/show-result-usecase.ts";
import type { SubmitAnalysisUseCase } from "../../usecase/ports/input/submit-analysis-usecase.ts";
import { presentFailure } from "../presenter/failure-presenter.ts";
import { analysisController } from "./analysis-controller.ts";

export type ApiUseCases = { readonly submit: SubmitAnalysisUseCase; readonly show: ShowResultUseCase };

const bodyLimitBytes = 16 * 1024;
const requestTimeoutMs = 15_000;
/** Longer than a forced run waits for the one under way to end. */
const connectionTimeoutMs = 45_000;

/** The app without a port: tests inject requests, `main-api.ts` listens. */
export function createApi(useCases: ApiUseCases): FastifyInstance {
  const app = Fastify({
    bodyLimit: bodyLimitBytes,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: connectionTimeoutMs,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allErrors: false } },
  });
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, asFailure(error)));
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .type("application/problem+json")
      .send({
        type: "about:blank",
        title: "Not found",
        status: 404,
        detail: `there is no ${request.method} ${request.url}`,
      }),
  );
  closeConnectionsWhenClosing(app);
  app.get("/healthz", async () => ({ status: "ok" }));
  app.register(analysisController(useCases), { prefix: "/v1" });
  return app;
}

/** Else a connection that has a request under way would stay open for the 72 s that it may be idle, and the process with it. */
function closeConnectionsWhenClosing(app: FastifyInstance): void {
  let closing = false;
  app.addHook("preClose", async () => {
    closing = true;
  });
  app.addHook("onSend", async (_request, reply) => {
    if (closing) reply.header("connection", "close");
  });
}

/** What Fastify refuses before a handler sees it is a malformed request. */
function asFailure(error: unknown): unknown {
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
  return status >= 400 && status < 500 && error instanceof Error
    ? new BadRequest(error.message, { cause: error })
    : error;
}

/** RFC 9457. */
function sendProblem(reply: FastifyReply, error: unknown): FastifyReply {
  const { code, httpStatus, title, message, details } = presentFailure(error);
  const type = `urn:polars-analysis-service:${code}`;
  const problem = { type, title, status: httpStatus, detail: message, code };
  // A detail may have the same name: of a source, `status` is what it answered.
  return reply
    .code(httpStatus)
    .type("application/problem+json")
    .send({ ...problem, ...details, ...problem });
}
