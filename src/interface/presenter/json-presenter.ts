/** JSON text in which integers beyond 2^53 keep all their digits. */
export function printJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_key, cell) => (typeof cell === "bigint" ? rawJson(cell) : cell), indent);
}

function rawJson(value: bigint): unknown {
  // TypeScript's library does not know it yet; Node does since 22.
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value));
}
