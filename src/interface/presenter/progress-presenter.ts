const clearLine = "\r\u001b[2K";
const barWidth = 24;
const tellEvery = 0.1;

/** What is being done now: one line that changes on a terminal, nothing elsewhere. */
export type Progress = {
  show(text: string): void;
  /** A bar on a terminal; elsewhere a plain line for each tenth. */
  advance(done: number, total: number, text: string): void;
  clear(): void;
};

export function createProgress(write: (text: string) => void, interactive: boolean): Progress {
  let told = 0;
  return {
    show: (text) => {
      if (interactive) write(`${clearLine}${text} …`);
    },
    advance: (done, total, text) => {
      const share = total === 0 ? 0 : Math.min(1, done / total);
      if (interactive) {
        const full = Math.round(share * barWidth);
        write(`${clearLine}[${"█".repeat(full)}${"░".repeat(barWidth - full)}] ${done}/${total} ${text}`);
      } else if (Math.floor(share / tellEvery) > told) {
        told = Math.floor(share / tellEvery);
        write(`${done} of ${total} ${text}\n`);
      }
    },
    clear: () => {
      if (interactive) write(clearLine);
    },
  };
}
