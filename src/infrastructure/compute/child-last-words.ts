/** Of what a child wrote to standard error: the panic's own line, or the last line that says something. */
export function lastWords(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const after = lines.findIndex((line) => line.includes("panicked at"));
  const words = after >= 0 ? lines[after + 1] : lines.findLast((line) => /error|failed|panic/i.test(line));
  return (words ?? lines.findLast((line) => line !== "") ?? "").slice(0, 300);
}
