import { presentFailure } from "../presenter/failure-presenter.ts";
import { printJson } from "../presenter/json-presenter.ts";
import type { DoctorCheck } from "./cli-services.ts";

/** Makes every check, tells of each, and fails with the first failure. */
export async function doctor(
  checks: readonly DoctorCheck[],
  json: boolean,
  print: (text: string) => void,
): Promise<void> {
  const findings = [];
  let failure: { readonly error: unknown } | undefined;
  for (const { name, check } of checks) {
    try {
      findings.push({ name, ok: true, message: await check() });
    } catch (error) {
      failure ??= { error };
      const { code, message } = presentFailure(error);
      findings.push({ name, ok: false, code, message });
    }
    const last = findings.at(-1);
    if (!json && last !== undefined) print(`${last.ok ? "ok  " : "FAIL"}  ${last.name}: ${last.message}`);
  }
  if (json) print(printJson({ ok: failure === undefined, checks: findings }));
  if (failure !== undefined) throw failure.error;
}
