/** An address for a message; what may hold a password is cut. */
export function shown(text: string): string {
  return JSON.stringify(text.includes("@") ? `…${text.slice(text.lastIndexOf("@"))}` : text);
}
