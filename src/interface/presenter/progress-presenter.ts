const clearLine = "\r\u001b[2K";

/** What is being done now: one line that changes on a terminal, nothing elsewhere. */
export type Progress = { show(text: string): void; clear(): void };

export function createProgress(write: (text: string) => void, interactive: boolean): Progress {
  return {
    show: (text) => {
      if (interactive) write(`${clearLine}${text} …`);
    },
    clear: () => {
      if (interactive) write(clearLine);
    },
  };
}
