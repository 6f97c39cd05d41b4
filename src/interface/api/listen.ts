import type { FastifyInstance } from "fastify";
import { BadRequest } from "../../domain/model/failure.ts";

/**
 * Serves until disposed.
 * @throws BadRequest when the address cannot be listened at
 */
export async function listen(
  app: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<{ readonly url: string } & AsyncDisposable> {
  try {
    const url = await app.listen({ host, port });
    return { url, [Symbol.asyncDispose]: () => app.close() };
  } catch (cause) {
    const taken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    const reason = taken ? "it is in use" : cause instanceof Error ? cause.message : String(cause);
    throw new BadRequest(`the API cannot listen at ${host}:${port} (${reason}): set API_PORT or API_HOST`, { cause });
  }
}
