// Latency of operations: a heat map over time with its percentiles, and a table of all operations with their wall time.
import { useMemo, useState } from "preact/hooks";
import uPlot from "uplot";
import { Bar, Name, Parts } from "./Bar";
import { Chart } from "./Chart";
import { colour, label } from "./categories";
import { fileName, rate, seconds, share, short } from "./format";
import type { Cause, Operation, View } from "./model";
import { latencyCounts, percentiles, rates, ratesOf, sum, sums } from "./narrow";
import { dark, operation, selected, thread, view } from "./state";
import { narrowedTails } from "./tails";

/** One hue, more of it for more operations (by the logarithm): readable in grey as well. */
const ramps = {
  light: ["#e3edf8", "#cfe0f2", "#b3cee9", "#8fb6de", "#6699ce", "#4a86c4", "#3070b3", "#1e5ca0", "#144b8a", "#0d3b73"],
  dark: ["#182a44", "#1b3860", "#1f4a80", "#265f9f", "#3377bb", "#4b91d2", "#6cabe3", "#93c5f0", "#bcddf8", "#e6f4ff"],
};
const coarseness = 3; // buckets that are drawn as one

export function Latency() {
  const one = view.value;
  if (!one) return <p class="muted">The view is being unpacked…</p>;
  if (one.latency.rows === 0) {
    return (
      <p class="nothing">
        Latencies are not known: the program has no probes, and no function was timed. <code>storeprof record --operation MODULE.FUNCTION</code> times
        a Python function by name.
      </p>
    );
  }
  return <Heat view={one} />;
}

interface Cell {
  from: number;
  to: number;
  low: number;
  high: number;
  count: number;
}

function Heat({ view: one }: { view: View }) {
  const night = dark.value;
  const made = useMemo(() => {
    const slices = new Map<number, { to: number; by: Map<number, Float64Array> }>();
    const rows = one.latency;
    for (let at = 0; at < rows.rows; at++) {
      if (operation.value !== null && rows.operation[at] !== operation.value) continue;
      const from = rows.from_ms[at] / 1e3;
      let slice = slices.get(from);
      if (!slice) slices.set(from, (slice = { to: rows.to_ms[at] / 1e3, by: new Map() }));
      let counts = slice.by.get(rows.operation[at]);
      if (!counts) slice.by.set(rows.operation[at], (counts = new Float64Array(one.buckets_ns.length)));
      counts[rows.bucket[at]] += rows.count[at];
    }
    const times = [...slices.keys()].sort((a, b) => a - b);
    const cells: Cell[] = [];
    const lines = times.map((from) => {
      const slice = slices.get(from)!;
      const { counts, cases } = together(one, from, slice.to, slice.by);
      for (let bucket = 0; bucket < counts.length; bucket += coarseness) {
        const last = Math.min(bucket + coarseness, counts.length) - 1;
        const value = sum(counts.subarray(bucket, last + 1));
        if (value > 0) cells.push({ from, to: slice.to, low: one.buckets_ns[bucket][0] / 1e9, high: one.buckets_ns[last][1] / 1e9, count: value });
      }
      return percentiles(counts, one.buckets_ns, cases);
    });
    const most = cells.reduce((top, cell) => Math.max(top, cell.count), 1);
    const low = cells.reduce((least, cell) => Math.min(least, cell.low), Infinity), high = cells.reduce((top, cell) => Math.max(top, cell.high), 0);
    const x = times.map((from) => (from + slices.get(from)!.to) / 2);
    return {
      data: [x, lines.map((at) => at.p50), lines.map((at) => at.p95), lines.map((at) => at.p99)] as uPlot.AlignedData,
      range: [oneDigit(low), high * 1.1] as [number, number],
      before: (chart: uPlot) => heat(chart, cells, most, ramps[night ? "dark" : "light"]),
    };
  }, [one, operation.value, night]);
  const line = (label: string, dash: number[]) => ({
    label, stroke: night ? "#ff9d3c" : "#ff7a00", width: 2.5, dash, points: { show: true, size: 4 }, spanGaps: false,
    value: (_: uPlot, value: number | null) => (value == null ? "" : seconds(value)),
  });
  return (
    <>
      <Chart
        label="Latency over time with percentiles" height={280} logarithmic gridless value={seconds} {...made}
        series={[line("P50", []), line("P95", [7, 4]), line("P99", [2, 3])]}
      />
      <p class="ramp"><span>fewer</span>{ramps[night ? "dark" : "light"].map((one) => <b key={one} style={{ background: one }} />)}<span>more operations (logarithmic)</span></p>
    </>
  );
}

/** A timed operation stands for as many as were done for each: of cheap ones fewer are timed. */
function together(one: View, from: number, to: number, by: Map<number, Float64Array>): { counts: Float64Array; cases: number } {
  const done = ratesOf(one, [from, to]);
  const counts = new Float64Array(one.buckets_ns.length);
  let all = 0, squares = 0;
  for (const [number, timed] of by) {
    const seen = sum(timed), weight = by.size > 1 && done[number] ? (done[number]! * (to - from)) / seen : 1;
    timed.forEach((count, bucket) => (counts[bucket] += count * weight));
    all += seen * weight;
    squares += seen * weight ** 2;
  }
  return { counts, cases: squares > 0 ? all ** 2 / squares : 0 };
}

/** Rounded down to one digit: uPlot's logarithmic ticks never end where the scale begins just below a power of ten. */
function oneDigit(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return Number((Math.floor(value / power + 1e-9) * power).toPrecision(1));
}

function heat(chart: uPlot, cells: Cell[], most: number, ramp: string[]): void {
  const pen = chart.ctx;
  pen.save();
  pen.beginPath();
  pen.rect(chart.bbox.left, chart.bbox.top, chart.bbox.width, chart.bbox.height);
  pen.clip();
  for (const cell of cells) {
    const left = chart.valToPos(cell.from, "x", true), right = chart.valToPos(cell.to, "x", true);
    const top = chart.valToPos(cell.high, "y", true), bottom = chart.valToPos(cell.low, "y", true);
    const strength = most > 1 ? Math.log(cell.count) / Math.log(most) : 1;
    pen.fillStyle = ramp[Math.min(ramp.length - 1, Math.floor(strength * ramp.length))];
    pen.fillRect(left, top, Math.max(right - left, 1) + 0.5, Math.max(bottom - top, 1) + 0.5);
  }
  pen.restore();
}

const shownAtFirst = 12, tailsAtFirst = 5, worthAWord = 0.02;

export function Operations() {
  const [every, setEvery] = useState(false);
  const one = view.value, narrowed = sums.value, counts = latencyCounts.value;
  if (!one || !narrowed || !counts) return null;
  const rows = one.operations.map((name, at) => ({ name, number: at + 1, wall: narrowed.byOperation[at + 1], rate: rates.value[at + 1] }))
    .filter((row) => sum(row.wall) > 0 || row.rate !== null).sort((a, b) => sum(b.wall) - sum(a.wall));
  const outside = narrowed.byOperation[0];
  const widest = Math.max(sum(outside), ...rows.map((row) => sum(row.wall)), 1e-12);
  const counted = rates.value[0];
  const shown = every ? rows : rows.filter((row, at) => at < shownAtFirst || row.number === operation.value);
  if (!rows.length && sum(outside) === 0) return <p class="nothing">No operation was seen{selected.value ? " in the selection" : ""}.</p>;
  return (
    <div class="scroll">
      <table class="operations">
        <thead><tr><th>operation</th><th>rate</th><th>P50</th><th>P95</th><th>P99</th><th>max</th><th class="bars">its wall time</th></tr></thead>
        <tbody>
          {shown.map((row) => {
            const latency = percentiles(counts[row.number], one.buckets_ns);
            return (
              <tr key={row.name} class={operation.value === row.number ? "chosen" : ""}>
                <td><button type="button" class="link" aria-pressed={operation.value === row.number} onClick={() => (operation.value = operation.value === row.number ? null : row.number)}><Name text={row.name} /></button></td>
                <td>{rate(row.rate)}</td><td>{seconds(latency.p50)}</td><td>{seconds(latency.p95)}</td><td>{seconds(latency.p99)}</td><td>{seconds(latency.max)}</td>
                <td class="bars"><span><Parts values={row.wall} of={widest} /><span class="muted">{seconds(sum(row.wall))}</span></span></td>
              </tr>
            );
          })}
          {sum(outside) > 0 && (
            <tr class={operation.value === 0 ? "chosen" : ""}>
              <td><button type="button" class="link" aria-pressed={operation.value === 0} onClick={() => (operation.value = operation.value === 0 ? null : 0)}>{rows.length ? "outside operations" : "the program"}</button></td>
              <td>{counted === null ? "–" : rate(counted)}</td><td>–</td><td>–</td><td>–</td><td>–</td>
              <td class="bars"><span><Parts values={outside} of={widest} /><span class="muted">{seconds(sum(outside))}</span></span></td>
            </tr>
          )}
        </tbody>
      </table>
      {rows.length > shownAtFirst && <button type="button" class="link unfold" onClick={() => setEvery(!every)}>{every ? "fewer operations" : `all ${rows.length} operations`}</button>}
      <p class="muted small">{rows.length > 0 ? "Bars are what threads did inside each operation, on one scale. Choosing one narrows the whole page." : "Operations are not known of this program."}
        {one.unhosted_s > worthAWord * widest ? ` ${seconds(one.unhosted_s)} of native code inside operations can't be given to one by its stack and stands outside them.` : ""}
      </p>
    </div>
  );
}

interface Explained {
  name: string;
  gap: number | null;
  causes: Cause[];
  thin: string | null;
}

/** Of the whole recording as the analysis says it, of a span as its looks divide. */
function explained(operations: Operation[]): Explained[] {
  const chosen = operation.value === null ? null : (view.value?.operations[operation.value - 1] ?? "");
  const whole = operations.map((one): Explained => ({ name: one.name, gap: one.tail?.p99_minus_p50_s ?? null, causes: one.tail?.causes ?? [], thin: null }));
  return (narrowedTails.value ?? whole.filter((one) => one.causes.length > 0)).filter((one) => chosen === null || one.name === chosen)
    .sort((a, b) => (b.gap ?? 0) - (a.gap ?? 0));
}

function where({ resource, function: name }: Cause): string {
  const text = resource ?? name ?? "";
  return text.startsWith("/") ? fileName(text) : short(text, 3);
}

/** Why P99 is so much longer than P50, of each operation with a budget. */
export function Tails({ operations }: { operations: Operation[] }) {
  const [every, setEvery] = useState(false);
  const budgets = explained(operations);
  if (!budgets.length || (!operations.some((one) => one.tail) && budgets.every((one) => one.thin))) return null;
  const known = every ? budgets : budgets.slice(0, tailsAtFirst);
  const narrowed = narrowedTails.value !== null;
  return (
    <>
      <h3>Why the slowest are slow <span class="muted">(P99 − P50)</span>{thread.value !== null ? <span class="scope">of all threads</span> : null}</h3>
      <div class="scroll">
        <table class="tails">
          <thead><tr><th>operation</th><th>gap</th><th class="wide">made up of</th><th>where</th>{narrowed ? null : <th>meanwhile</th>}</tr></thead>
          <tbody>
            {known.flatMap((one) => one.thin ? [
              <tr key={one.name}>
                <td><Name text={one.name} /></td><td class="figure">{seconds(one.gap)}</td><td class="muted" colSpan={2}>{one.thin}</td>
              </tr>,
            ] : one.causes.slice(0, 4).map((cause, at) => (
              <tr key={`${one.name}${at}`}>
                <td>{at === 0 ? <Name text={one.name} /> : ""}</td>
                <td class="figure">{at === 0 ? seconds(one.gap) : ""}</td>
                <td class="wide figure"><Bar value={cause.share} colour={colour(cause.component)} /> {label(cause.component)} {share(cause.share)} <em>{cause.ci ? `${share(cause.ci[0])} to ${share(cause.ci[1])}` : ""}</em></td>
                <td title={cause.resource ?? cause.function ?? ""}><Name text={where(cause)} /></td>
                {narrowed ? null : <td class="muted">{(cause.beside ?? []).filter(Boolean).map((name) => short(name!)).join(", ")}</td>}
              </tr>
            )))}
          </tbody>
        </table>
      </div>
      {budgets.length > tailsAtFirst && <button type="button" class="link unfold" onClick={() => setEvery(!every)}>{every ? "fewer" : `all ${budgets.length} operations`}</button>}
    </>
  );
}
