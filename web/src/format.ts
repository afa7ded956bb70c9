// Figures with the unit that a person would give them; a dash where unknown.

const dash = "–";

function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en");
  return size === 0 ? "0" : String(Number(value.toPrecision(3)));
}

export function seconds(value: number | null | undefined): string {
  if (value == null) return dash;
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size >= 0.9995) return `${digits(value)} s`; // what would round to 1,000 ms is a second
  if (size >= 0.9995e-3) return `${digits(value * 1e3)} ms`;
  if (size >= 0.9995e-6) return `${digits(value * 1e6)} µs`;
  return `${digits(value * 1e9)} ns`;
}

export function bytes(value: number | null | undefined): string {
  if (value == null) return dash;
  const size = Math.abs(value);
  const [scale, unit] = size >= 0.9995e9 ? [1e9, "GB"] : size >= 0.9995e6 ? [1e6, "MB"] : size >= 0.9995e3 ? [1e3, "kB"] : [1, "B"];
  return `${digits(value / scale)} ${unit}`;
}

export function rate(value: number | null | undefined): string {
  if (value == null) return dash;
  if (value >= 1e6) return `${digits(value / 1e6)} M/s`;
  return value >= 1e4 ? `${digits(value / 1e3)} k/s` : `${digits(value)}/s`;
}

export function share(value: number | null | undefined): string {
  if (value == null || Number.isNaN(value)) return dash;
  const percent = value * 100;
  return `${Math.abs(percent) >= 10 || percent === 0 ? Math.round(percent) : Number(percent.toPrecision(2))} %`;
}

export function count(value: number | null | undefined): string {
  return value == null ? dash : digits(value);
}

export function times(value: number): string {
  return `${value.toFixed(2)}×`;
}

export function short(name: string, parts = 2): string {
  const plain = name.replace(/\(.*\)$/, "()");
  const separator = plain.includes("::") ? "::" : ".";
  const split = plain.split(separator);
  return split.length > parts ? split.slice(-parts).join(separator) : plain;
}

export function fileName(path: string | null): string {
  return path ? path.slice(path.lastIndexOf("/") + 1) : "";
}
