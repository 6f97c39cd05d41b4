import { BadRequest } from "../../domain/model/failure.ts";
import type { ParsedBackfill } from "../dto/backfill.ts";
import type { PlanUseCase } from "../ports/input/plan-usecase.ts";

/** @throws BadRequest when the backfill goes by a plan that does not hold any more */
export async function requirePlan(
  plan: PlanUseCase,
  { dataset, from, to, planHash }: ParsedBackfill,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (planHash === undefined) return;
  const { hash } = await plan.plan(dataset, from, to, signal === undefined ? {} : { signal });
  if (hash === planHash) return;
  throw new BadRequest(
    `the plan ${planHash.slice(0, 12)} of ${dataset} ${from} to ${to} does not hold any more, since the source, the results or the definition have changed: plan again`,
  );
}
