/** Numbers as people read them in progress lines and tables. */

/** `12.3k`, `4.56M`: three digits and a unit. */
export function short(value: number): string {
  const units = ["", "k", "M", "G", "T"] as const;
  let unit = 0;
  let scaled = value;
  while (Math.abs(scaled) >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  if (unit === 0) return Number.isInteger(value) ? String(value) : value.toPrecision(3);
  return scaled.toPrecision(3) + units[unit]!;
}

/** `1:02:03`, `4:05`, `0:07`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** `512 MiB`, `1.50 GiB`. */
export function bytes(count: number): string {
  const mebibytes = count / 2 ** 20;
  return mebibytes < 1024
    ? `${mebibytes.toFixed(mebibytes < 10 ? 1 : 0)} MiB`
    : `${(mebibytes / 1024).toFixed(2)} GiB`;
}

/** A learning rate: `6.00e-4`. */
export const rate = (value: number): string => (value === 0 ? "0" : value.toExponential(2));
