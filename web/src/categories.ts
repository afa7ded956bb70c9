// Kinds of wall time: words and colours. Colours are after Okabe and Ito's, chosen so that any two are told apart
// whichever cones an eye lacks (a test computes it); order and words carry the same meaning, so no colour is needed.

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
  { key: "network", label: "network", colour: "#e985bf" },
  { key: "dependency", label: "other threads' work", colour: "#e8d93b" },
  { key: "gc", label: "garbage collection", colour: "#501fbc" },
  { key: "page_fault", label: "page faults from disk", colour: "#1e5166" },
  { key: "sleep", label: "sleeping", colour: "#798696" },
  { key: "other", label: "other", colour: "#c0bcb5" },
];

export const cpu = 0, runQueue = 1, lock = 2, gil = 3, io = 4, gc = 7, pageFault = 8;
export const onCpu = new Set([cpu, gc]);

export function label(key: string): string {
  return categories.find((one) => one.key === key)?.label ?? key;
}

export function colour(key: string): string {
  return categories.find((one) => one.key === key)?.colour ?? "#c0bcb5";
}
