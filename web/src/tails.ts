// The gap between P99 and P50 within the selected span, divided as the analysis divides that of the whole recording:
// what operations around P99 spend more time on than those around P50 (analysis/tail/budget.py has the reasons).
import { computed } from "@preact/signals";
import { latencyCounts, percentiles, sum } from "./narrow";
import type { View } from "./model";
import { span, view, window_ } from "./state";

const tailBands = [[0.986, 0.994], [0.986, 0.998], [0.98, 0.9985], [0.97, 1]];
const middleBands = [[0.4, 0.6], [0.3, 0.7], [0.2, 0.8], [0.1, 0.9]];
const wanted = 30, fewest = 15; // different operations looked at in a band
const near = 0.25, cut = 0.994, smallest = 0.02;
const resamples = 300, normal = 1.96;

export interface NarrowedCause {
  component: string;
  function: string | null;
  resource: string | null;
  share: number;
  ci: [number, number];
}

export interface NarrowedTail {
  name: string;
  gap: number | null; // seconds
  causes: NarrowedCause[];
  thin: string | null; // why there are none
}

interface Rows {
  bin: number[];
  part: number[];
  took: number[];
  number: number[];
  weight: number[];
}

/** One budget an operation with latencies, of the span selected; null while none is. */
export const narrowedTails = computed<NarrowedTail[] | null>(() => {
  const one = view.value, counts = latencyCounts.value;
  if (!one || !counts || span.value === null) return null;
  const rows = rowsOf(one, window_.value.from, window_.value.to);
  return one.operations.map((_, at) => tailOf(one, at + 1, counts[at + 1], rows[at + 1]));
});

function rowsOf(one: View, from: number, to: number): Rows[] {
  const found = Array.from({ length: one.operations.length + 1 }, (): Rows => ({ bin: [], part: [], took: [], number: [], weight: [] }));
  const all = one.tails;
  for (let at = 0; at < all.rows; at++) {
    if (all.bin[at] < from || all.bin[at] >= to) continue;
    const into = found[all.operation[at]];
    into.bin.push(all.bin[at] - from);
    into.part.push(all.part[at]);
    into.took.push(all.took[at]);
    into.number.push(all.number[at]);
    into.weight.push(all.weight[at]);
  }
  return found;
}

function tailOf(one: View, operation: number, counts: Float64Array, rows: Rows): NarrowedTail {
  const name = one.operations[operation - 1], spreadNs = one.tail_spread_ns[operation - 1];
  const { p50, p99, count } = percentiles(counts, one.buckets_ns);
  const none = (thin: string): NarrowedTail => ({ name, gap: p50 !== null && p99 !== null ? p99 - p50 : null, causes: [], thin });
  if (count === 0) return none("no latency was read in the selection; they are read about once a second");
  if (p50 === null || p99 === null) return none(`P99 needs 1,000 operations; ${Math.round(count).toLocaleString("en")} are in the selection`);
  const gap = p99 - p50;
  if (gap <= 0) return none("P99 is no longer than P50");
  const tail = bandOf(one, counts, rows, tailBands, 0);
  if (tail.operations < fewest) return none(`${tail.operations} of the operations around P99 were looked at in the selection, ${fewest} are needed`);
  const middle = bandOf(one, counts, rows, middleBands, Math.min(spreadNs, near * gap * 1e9));
  const known = middle.operations >= fewest;
  const inTail = sharesOf(one, rows, tail.weight), inMiddle = known ? sharesOf(one, rows, middle.weight) : inTail;
  const causes = one.tail_parts.flatMap((part, at): NarrowedCause[] => {
    if (part.operation !== operation) return [];
    const [value, low, high] = interval(inTail, inMiddle, at, p50, p99);
    const [least, most] = binomial(inTail.value[at], tail.operations);
    const doubt = known ? 0 : p50 / gap;
    const bound = (share: number) => (p99 * share - p50 * inMiddle.value[at]) / gap;
    return [{ ...part, share: value, ci: [Math.min(low, bound(least)) - doubt, Math.max(high, bound(most)) + doubt] }];
  });
  return { name, gap, thin: null, causes: causes.filter((cause) => cause.share >= smallest).sort((a, b) => b.share - a.share) };
}

interface Band {
  weight: Float64Array; // of each row, 0 outside the band; longer operations are cut to its upper edge
  operations: number;
}

function bandOf(one: View, counts: Float64Array, rows: Rows, bands: number[][], spreadNs: number): Band {
  const edges = one.buckets_ns;
  const top = edges[bucketAt(counts, cut)][1];
  let found: Band = { weight: new Float64Array(0), operations: 0 };
  for (const [from, to] of bands) {
    const least = edges[bucketAt(counts, from)][0] - spreadNs;
    const most = (to < 1 ? edges[bucketAt(counts, to)][1] : Infinity) + spreadNs;
    const weight = new Float64Array(rows.took.length), numbers = new Set<number>();
    rows.took.forEach((bucket, at) => {
      const [low, high] = edges[bucket], length = (low + high) / 2;
      if (length < least || length > most) return;
      weight[at] = rows.weight[at] * Math.min(1, top / length);
      numbers.add(rows.number[at]);
    });
    found = { weight, operations: numbers.size };
    if (found.operations >= wanted) break;
  }
  return found;
}

function bucketAt(counts: Float64Array, q: number): number {
  const total = sum(counts);
  let reached = 0, last = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    if (counts[bucket] === 0) continue;
    reached += counts[bucket];
    last = bucket;
    if (reached >= q * total) break;
  }
  return last;
}

interface Shares {
  value: Float64Array; // by part
  drawn: Float64Array[]; // the same, of each resample of the bins
}

function sharesOf(one: View, rows: Rows, weight: Float64Array): Shares {
  const parts = one.tail_parts.length, bins = window_.value.to - window_.value.from;
  const byBin = Array.from({ length: bins }, () => new Float64Array(parts));
  rows.bin.forEach((bin, at) => (byBin[bin][rows.part[at]] += weight[at]));
  const value = normalized(byBin, byBin.map(() => 1), parts);
  const random = generator(1); // the same bins for both bands, as they are of one time
  const drawn = Array.from({ length: resamples }, () => {
    const times = new Array<number>(bins).fill(0);
    for (let draw = 0; draw < bins; draw++) times[Math.floor(random() * bins)]++;
    return normalized(byBin, times, parts, value);
  });
  return { value, drawn };
}

function normalized(byBin: Float64Array[], times: number[], parts: number, otherwise: Float64Array = new Float64Array(parts)): Float64Array {
  const found = new Float64Array(parts);
  byBin.forEach((row, bin) => {
    if (times[bin] > 0) for (let part = 0; part < parts; part++) found[part] += times[bin] * row[part];
  });
  const total = sum(found);
  return total > 0 ? found.map((weight) => weight / total) : otherwise;
}

function interval(tail: Shares, middle: Shares, part: number, p50: number, p99: number): [number, number, number] {
  const of = (inTail: Float64Array, inMiddle: Float64Array) => (p99 * inTail[part] - p50 * inMiddle[part]) / (p99 - p50);
  const drawn = tail.drawn.map((one, at) => of(one, middle.drawn[at])).sort((a, b) => a - b);
  return [of(tail.value, middle.value), drawn[Math.floor(0.025 * resamples)], drawn[Math.ceil(0.975 * resamples) - 1]];
}

/** Bounds of a share of which so many independent cases tell (Wilson, JASA 22, 1927). */
function binomial(share: number, seen: number): [number, number] {
  const squared = normal ** 2 / seen, inside = Math.min(Math.max(share, 0), 1);
  const centre = (inside + squared / 2) / (1 + squared);
  const half = (normal / (1 + squared)) * Math.sqrt((inside * (1 - inside)) / seen + squared / (4 * seen));
  return [centre - half, centre + half];
}

/** Numbers from 0 to 1, the same each time (mulberry32), so that a selection always shows the same interval. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
