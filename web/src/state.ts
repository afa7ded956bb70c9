// What is selected; everything drawn is a function of these signals.
import { computed, effect, signal } from "@preact/signals";
import type { PageData, View } from "./model";

export const data = JSON.parse(document.getElementById("data")!.textContent!) as PageData;
export const compared = data.sides.against !== undefined;

export interface Span {
  from: number; // bins, [from, to)
  to: number;
}

export const views = signal<(View | null)[]>([]); // of the side shown, by run
export const others = signal<(View | null)[]>([]);
export const failed = signal<string | null>(null);
export const run = signal(0);
export const view = computed(() => views.value[run.value] ?? null);
export const other = computed(() => others.value[Math.min(run.value, others.value.length - 1)] ?? null);

export const span = signal<Span | null>(null);
export const operation = signal<number | null>(null); // 1 + index in view.operations; 0: outside operations
export const thread = signal<number | null>(null);

export const selected = computed(() => span.value !== null || operation.value !== null || thread.value !== null);

export type Mode = "wall" | "cpu" | "off" | "grown" | "allocated" | `reason-${number}`;
export const mode = signal<Mode>("wall");
export const inverted = signal(false);
export const search = signal("");
export const direction = signal<"now" | "before">("now");
export const helpShown = signal(false);

export type Theme = "auto" | "light" | "dark";
export const theme = signal<Theme>("auto");
export const systemDark = signal(matchMedia("(prefers-color-scheme: dark)").matches);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => (systemDark.value = event.matches));
export const printing = signal(false); // on white, whatever the theme
export const dark = computed(() => !printing.value && (theme.value === "auto" ? systemDark.value : theme.value === "dark"));
effect(() => {
  document.documentElement.dataset.theme = dark.value ? "dark" : "light";
});

export const window_ = computed<Span>(() => span.value ?? { from: 0, to: view.value?.bins ?? 1 });

export function binSeconds(one: View): number {
  return one.bin_ns / 1e9;
}

/** The selected span in seconds since the start of the window. */
export const spanSeconds = computed<[number, number]>(() => {
  const one = view.value;
  if (!one) return [0, 1];
  const { from, to } = window_.value;
  return [from * binSeconds(one), Math.min(to * binSeconds(one), Math.max(one.duration_s, binSeconds(one)))];
});

export function selectSeconds(from: number, to: number): void {
  const one = view.value;
  if (!one) return;
  const first = Math.max(0, Math.floor(Math.min(from, to) / binSeconds(one)));
  const last = Math.min(one.bins, Math.max(first + 1, Math.ceil(Math.max(from, to) / binSeconds(one))));
  span.value = first === 0 && last === one.bins ? null : { from: Math.min(first, one.bins - 1), to: last };
}

export function clearSelection(): void {
  span.value = null;
  operation.value = null;
  thread.value = null;
}
