// Kinds of wall time: words and colours. Colours are Okabe and Ito's, told apart also without red and green; order and
// words carry the same meaning, so no colour is needed to read the page.

export interface Category {
  key: string;
  label: string;
  colour: string;
}

export const idle: Category = { key: "idle", label: "idle", colour: "var(--idle)" };
export const categories: Category[] = [
  { key: "cpu", label: "on CPU", colour: "#2271b2" },
  { key: "run_queue", label: "waiting for a CPU", colour: "#7fc4ee" },
  { key: "lock", label: "lock", colour: "#d55e00" },
  { key: "gil", label: "GIL", colour: "#e69f00" },
  { key: "io", label: "disk", colour: "#359b73" },
  { key: "network", label: "network", colour: "#cc79a7" },
  { key: "dependency", label: "other threads' work", colour: "#e8d93b" },
  { key: "gc", label: "garbage collection", colour: "#6a4c93" },
  { key: "page_fault", label: "page faults from disk", colour: "#1b6e6e" },
  { key: "sleep", label: "sleeping", colour: "#8c96a3" },
  { key: "other", label: "other", colour: "#b9b1a6" },
];

export const cpu = 0, runQueue = 1, lock = 2, gil = 3, io = 4, gc = 7, pageFault = 8;
export const onCpu = new Set([cpu, gc]);

export function label(key: string): string {
  return categories.find((one) => one.key === key)?.label ?? key;
}

export function colour(key: string): string {
  return categories.find((one) => one.key === key)?.colour ?? "#b9b1a6";
}
