import type { LogEntry } from "./world.ts";

/** One line of what happened, for a person. */
export function traceLine({ ms, actor, date, event }: LogEntry): string {
  return `${String(ms).padStart(7)} ms  ${date}  ${actor.padEnd(10)}  ${told(event)}`;
}

function told(event: LogEntry["event"]): string {
  switch (event.type) {
    case "step": {
      const { operation, fault, answer } = event;
      const what = `${operation.name.padEnd(6)} ${short(operation.key)}: ${shown(answer)}`;
      return fault === undefined ? what : `${what}   [${fault}]`;
    }
    case "intended":
      return `intends ${event.mode} with the fence ${event.fence}`;
    case "wrote": {
      const as = event.metadata["run-id"] === undefined ? "" : ` as ${event.metadata["run-id"]}`;
      return `WROTE  ${short(event.key)}${as}, sha256 ${event.sha256.slice(0, 8)}`;
    }
    case "deleted":
      return `DELETED ${short(event.key)}`;
    case "answered":
      return `ANSWERED ${event.outcome}, ${short(event.manifest)}`;
    case "failed":
      return `FAILED ${event.error}`;
    case "saw-result":
      return `sees the result of ${event.found?.metadata["run-id"] ?? "nobody"}`;
    case "saw-published":
      return `sees published by ${event.found?.runId ?? "nobody"}`;
    case "saw-pointer":
      return `sees manifest.json of ${event.found === undefined ? "nobody" : shown(event.found)}`;
    case "searching":
      return `looks for ${event.runId} in the history`;
    case "searched":
      return `found ${event.found === undefined ? "nothing" : short(event.found)} of ${event.runId}`;
    case "recovered":
      return "has recovered";
  }
}

function shown(answer: unknown): string {
  if (answer === undefined) return "nothing";
  if (typeof answer === "string") return answer.match(/"runId": "([^"]+)"/)?.[1] ?? answer;
  if (Array.isArray(answer)) return `${answer.length} objects`;
  if (typeof answer !== "object" || answer === null || !("etag" in answer)) return String(answer);
  return `etag ${String(answer.etag).slice(0, 8)}`;
}

function short(key: string): string {
  return key.replace(/^sales\/[\d-]+\//, "");
}
