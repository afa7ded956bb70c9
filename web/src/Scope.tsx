// What a selection does not narrow says so itself, so that no number is taken for one of the selection.
import { operation, selected, span, thread } from "./state";

interface Given {
  span?: boolean; // narrowed by it
  operation?: boolean;
  thread?: boolean;
  what?: string; // the numbers it is about, where not all of the panel's
}

/** Shown only while something is selected that does not narrow what stands beside it. */
export function Scope(given: Given) {
  const words = whose(given);
  return words === null ? null : <span class="scope">{given.what ? `${given.what}: ` : ""}{words}</span>;
}

function whose(given: Given): string | null {
  if (!given.span && !given.operation && !given.thread) return selected.value ? "of the whole recording" : null;
  const others = [operation.value !== null && !given.operation ? "operations" : "", thread.value !== null && !given.thread ? "threads" : ""].filter(Boolean);
  if (span.value !== null && !given.span) return "of the whole time";
  return others.length ? `of all ${others.join(" and ")}` : null;
}
