export function printBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  const digits = power === 0 ? 0 : 1;
  return `${(bytes / 2 ** (10 * power)).toFixed(digits)} ${units[power]}`;
}
