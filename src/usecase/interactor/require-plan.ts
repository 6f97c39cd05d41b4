import { BadRequest, SourceUnavailable } from "../../domain/model/failure.ts";
import type { ParsedBackfill } from "../dto/backfill.ts";
import type { PlanUseCase } from "../ports/input/plan-usecase.ts";

/**
 * @throws BadRequest when the backfill goes by a plan that does not hold any more; SourceUnavailable when that cannot be
 * told, since the source could not be asked about a date
 */
export async function requirePlan(
  plan: PlanUseCase,
  { dataset, from, to, planHash }: ParsedBackfill,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (planHash === undefined) return;
  const control = { withoutTemporal: true, ...(signal === undefined ? {} : { signal }) };
  const { hash, dates } = await plan.plan(dataset, from, to, control);
  if (hash === planHash) return;
  const name = `the plan ${planHash.slice(0, 12)} of ${dataset} ${from} to ${to}`;
  const unreachable = dates.find(({ reason }) => reason === "unreachable");
  if (unreachable !== undefined) {
    throw new SourceUnavailable(
      `whether ${name} holds cannot be told: ${unreachable.date}: ${unreachable.failure?.message}`,
    );
  }
  throw new BadRequest(
    `${name} does not hold any more, since the source, the results or the definition have changed: plan again`,
  );
}
