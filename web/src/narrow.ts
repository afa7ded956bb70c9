// Sums over the rows of wall time that the selection leaves; one pass over at most some 200,000 rows.
import { computed } from "@preact/signals";
import { cpu, gc, gil, io, lock, pageFault } from "./categories";
import type { View } from "./model";
import { operation, span, spanSeconds, thread, view, window_ } from "./state";

export interface Sums {
  total: number; // seconds, as all sums here
  byCategory: Float64Array;
  byOperation: Float64Array[]; // by operation number, then category; the operation selected does not narrow these
  byThread: Float64Array[]; // not narrowed by the thread selected
}

export interface Filter {
  from: number;
  to: number;
  operation: number | null;
  thread: number | null;
}

export const filter = computed<Filter>(() => ({ ...window_.value, operation: operation.value, thread: thread.value }));

export function sumsOf(one: View, { from, to, operation, thread }: Filter): Sums {
  const kinds = one.categories.length;
  const unit = one.unit_ns / 1e9;
  const byCategory = new Float64Array(kinds);
  const byOperation = Array.from({ length: one.operations.length + 1 }, () => new Float64Array(kinds));
  const byThread = one.threads.map(() => new Float64Array(kinds));
  const rows = one.wall;
  let total = 0;
  for (let at = 0; at < rows.rows; at++) {
    const bin = rows.bin[at];
    if (bin < from || bin >= to) continue;
    const weight = rows.weight[at] * unit;
    const ofOperation = operation === null || rows.operation[at] === operation;
    const ofThread = thread === null || rows.thread[at] === thread;
    if (ofThread) byOperation[rows.operation[at]][rows.category[at]] += weight;
    if (ofOperation) byThread[rows.thread[at]][rows.category[at]] += weight;
    if (ofOperation && ofThread) {
      byCategory[rows.category[at]] += weight;
      total += weight;
    }
  }
  return { total, byCategory, byOperation, byThread };
}

export const sums = computed<Sums | null>(() => (view.value ? sumsOf(view.value, filter.value) : null));

export function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let at = 0; at < values.length; at++) total += values[at];
  return total;
}

/** Seconds per thread, category and bin over the whole window, of the operation selected: [thread][category * bins + bin]. */
export const lanes = computed<Float64Array[] | null>(() => {
  const one = view.value;
  if (!one) return null;
  const unit = one.unit_ns / 1e9;
  const found = one.threads.map(() => new Float64Array(one.categories.length * one.bins));
  const rows = one.wall;
  const only = operation.value;
  for (let at = 0; at < rows.rows; at++) {
    if (only !== null && rows.operation[at] !== only) continue;
    found[rows.thread[at]][rows.category[at] * one.bins + rows.bin[at]] += rows.weight[at] * unit;
  }
  return found;
});

/** The function a node is charged to: the youngest on the way to it that is not library code; the node's own without one. */
const places = new WeakMap<View, Int32Array>();
export function placeOfNodes(one: View): Int32Array {
  let found = places.get(one);
  if (!found) {
    found = new Int32Array(one.nodes.rows).fill(-1);
    const own = new Int32Array(one.nodes.rows).fill(-1);
    for (let node = 1; node < one.nodes.rows; node++) {
      const called = one.nodes.function[node];
      own[node] = one.functions[called][4] ? own[one.nodes.parent[node]] : called;
      found[node] = own[node] >= 0 ? own[node] : called;
    }
    places.set(one, found);
  }
  return found;
}

export interface FileRow {
  name: string;
  total: number;
  calls: [string, number][];
  functions: [number, number][];
}

/** Time waited for files (and for pages of mapped files), per file. */
export const files = computed<FileRow[]>(() => {
  const one = view.value;
  if (!one) return [];
  const { from, to, operation, thread } = filter.value;
  const place = placeOfNodes(one);
  const found = new Map<string, { total: number; calls: Map<string, number>; functions: Map<number, number> }>();
  const rows = one.wall;
  for (let at = 0; at < rows.rows; at++) {
    const category = rows.category[at];
    const bin = rows.bin[at];
    if ((category !== io && category !== pageFault) || bin < from || bin >= to) continue;
    if ((operation !== null && rows.operation[at] !== operation) || (thread !== null && rows.thread[at] !== thread)) continue;
    const wait = one.waits[rows.wait[at]];
    const name = wait.name ?? (category === pageFault ? "pages of mapped files" : "a file not known by name");
    let entry = found.get(name);
    if (!entry) found.set(name, (entry = { total: 0, calls: new Map(), functions: new Map() }));
    const weight = (rows.weight[at] * one.unit_ns) / 1e9;
    entry.total += weight;
    add(entry.calls, wait.call ?? (category === pageFault ? "page fault" : "call not known"), weight);
    add(entry.functions, place[rows.node[at]], weight);
  }
  return [...found].map(([name, entry]) => ({ name, total: entry.total, calls: ranked(entry.calls), functions: ranked(entry.functions) }))
    .sort((a, b) => b.total - a.total);
});

export interface LockRow {
  name: string;
  kind: string;
  total: number;
  waiters: [number, number][]; // function, seconds
  waitingThreads: [number, number][];
  holders: [number, number][]; // function, share of what was seen beside
  holdingThreads: [number, number][];
}

export const locks = computed<LockRow[]>(() => {
  const one = view.value;
  if (!one) return [];
  const { from, to, operation, thread } = filter.value;
  const unit = one.unit_ns / 1e9;
  const found = one.locks.map((listed) => ({
    ...listed, total: 0, waiters: new Map<number, number>(), waitingThreads: new Map<number, number>(), holders: new Map<number, number>(), holdingThreads: new Map<number, number>(),
  }));
  const { waiters, holders, holding } = one;
  for (let at = 0; at < waiters.rows; at++) {
    if (waiters.bin[at] < from || waiters.bin[at] >= to) continue;
    if ((operation !== null && waiters.operation[at] !== operation) || (thread !== null && waiters.thread[at] !== thread)) continue;
    const entry = found[waiters.lock[at]];
    entry.total += waiters.weight[at] * unit;
    add(entry.waiters, waiters.function[at], waiters.weight[at] * unit);
    add(entry.waitingThreads, waiters.thread[at], waiters.weight[at] * unit);
  }
  // Who holds is another thread, in whatever operation: only the span narrows it.
  for (let at = 0; at < holders.rows; at++) {
    if (holders.bin[at] >= from && holders.bin[at] < to) add(found[holders.lock[at]].holders, holders.function[at], holders.weight[at] * unit);
  }
  for (let at = 0; at < holding.rows; at++) {
    if (holding.bin[at] >= from && holding.bin[at] < to) add(found[holding.lock[at]].holdingThreads, holding.thread[at], holding.weight[at] * unit);
  }
  return found.filter((row) => row.total > 0).sort((a, b) => b.total - a.total).map((row) => ({
    ...row, waiters: ranked(row.waiters), waitingThreads: ranked(row.waitingThreads), holders: ranked(row.holders), holdingThreads: ranked(row.holdingThreads),
  }));
});

export interface Percentiles {
  count: number;
  p50: number | null;
  p95: number | null;
  p99: number | null;
  max: number | null;
}

const beyond = 10; // a percentile needs this many operations beyond it, as in the analysis

/** `cases`: how many equally weighted operations tell as much as these counts. */
export function percentiles(counts: Float64Array, edges: [number, number][], cases = sum(counts)): Percentiles {
  const total = sum(counts);
  const at = (q: number): number | null => {
    if (cases * (1 - q) < beyond) return null;
    let reached = 0;
    for (let bucket = 0; bucket < counts.length; bucket++) {
      if (counts[bucket] > 0 && reached + counts[bucket] >= q * total) {
        const [low, high] = edges[bucket];
        return (low + ((q * total - reached) / counts[bucket]) * (high - low)) / 1e9;
      }
      reached += counts[bucket];
    }
    return null;
  };
  let top = counts.length - 1;
  while (top >= 0 && counts[top] === 0) top--;
  return { count: total, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: top >= 0 ? edges[top][1] / 1e9 : null };
}

/** Latencies of each operation within the span: counts per bucket, by operation number. */
export const latencyCounts = computed<Float64Array[] | null>(() => {
  const one = view.value;
  if (!one) return null;
  const [from, to] = spanSeconds.value;
  const found = Array.from({ length: one.operations.length + 1 }, () => new Float64Array(one.buckets_ns.length));
  const rows = one.latency;
  for (let at = 0; at < rows.rows; at++) {
    const middle = (rows.from_ms[at] + rows.to_ms[at]) / 2e3;
    if (middle >= from && middle < to) found[rows.operation[at]][rows.bucket[at]] += rows.count[at];
  }
  return found;
});

/** Operations per second within the span, by operation number (0: the program's own count); null where not counted. */
export const rates = computed<(number | null)[]>(() => {
  const one = view.value;
  if (!one) return [];
  return ratesOf(one, spanSeconds.value);
});

export function ratesOf(one: View, [from, to]: [number, number]): (number | null)[] {
  const found: (number | null)[] = Array.from({ length: one.operations.length + 1 }, () => null);
  const rows = one.done;
  for (let at = 0; at < rows.rows; at++) {
    const begin = rows.from_ms[at] / 1e3, end = rows.to_ms[at] / 1e3;
    const inside = Math.max(0, Math.min(end, to) - Math.max(begin, from)) / Math.max(end - begin, 1e-9);
    if (inside > 0) found[rows.operation[at]] = (found[rows.operation[at]] ?? 0) + rows.count[at] * inside;
  }
  return found.map((value) => (value === null ? null : value / Math.max(to - from, 1e-9)));
}

/** The selected span in the other recording: the same seconds since its start, or all of it. */
export function otherSpan(before: View): [number, number] {
  if (!span.value) return [0, before.duration_s];
  const [from, to] = spanSeconds.value;
  return [Math.min(from, before.duration_s), Math.min(to, before.duration_s)];
}

const neverThere = 1 << 20;

/** The selection in the bins and numbers of the other recording, whose threads are others. */
export function inOther(before: View): Filter {
  const [from, to] = otherSpan(before);
  const bin = before.bin_ns / 1e9;
  const chosen = operation.value;
  const name = chosen ? view.value!.operations[chosen - 1] : null;
  const number = name === null ? chosen : before.operations.indexOf(name) + 1 || neverThere;
  return { from: Math.floor(from / bin), to: Math.ceil(to / bin), operation: number, thread: null };
}

export function findingShare(one: View, kind: string, place: string | null, resource: string | null): number | null {
  const category = { "lock-contention": [lock], "gil-contention": [gil], "io-wait": [io], "cpu-hotspot": [cpu], "network-wait": [5],
    "dependency-wait": [6], "sleep-wait": [9], "gc-pressure": [gc], "cpu-starvation": [1] }[kind];
  if (!category) return null;
  const wanted = new Set(category);
  const ofAll = kind === "gil-contention" || kind === "cpu-starvation" || kind === "gc-pressure";
  const { from, to, operation, thread } = filter.value;
  const places = placeOfNodes(one);
  const rows = one.wall;
  let hit = 0, whole = 0;
  for (let at = 0; at < rows.rows; at++) {
    const bin = rows.bin[at];
    if (bin < from || bin >= to) continue;
    if ((operation !== null && rows.operation[at] !== operation) || (thread !== null && rows.thread[at] !== thread)) continue;
    const kindOfRow = rows.category[at];
    const weight = rows.weight[at];
    if (kind !== "cpu-hotspot" || kindOfRow === cpu || kindOfRow === gc) whole += weight;
    if (!wanted.has(kindOfRow)) continue;
    const charged = places[rows.node[at]];
    const here = charged >= 0 && one.functions[charged][0] === place;
    if (ofAll || here || (resource !== null && one.waits[rows.wait[at]].name === resource)) hit += weight;
  }
  return whole > 0 ? hit / whole : null;
}

export function add<Key>(into: Map<Key, number>, key: Key, value: number): void {
  into.set(key, (into.get(key) ?? 0) + value);
}

export function ranked<Key>(from: Map<Key, number>): [Key, number][] {
  return [...from].sort((a, b) => b[1] - a[1]);
}
