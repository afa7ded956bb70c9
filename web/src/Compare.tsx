// What changed against the other recording: metrics, findings, and the bars of operations.
import { Severity, placeName, size } from "./Findings";
import { Name, Parts } from "./Bar";
import { categories } from "./categories";
import { bytes, rate, seconds, share } from "./format";
import type { Document, Finding, View } from "./model";
import { filter, inOther, otherSpan, ratesOf, sum, sumsOf } from "./narrow";
import { Scope } from "./Scope";
import { data, operation, other, spanSeconds, view } from "./state";

export function Changes() {
  const now = data.sides.shown.document, before = data.sides.against!.document;
  return (
    <>
      <p class="about">
        Now <b class="mono">{now.recording}</b>, before <b class="mono">{before.recording}</b>. Differences here are of two recordings as they are; whether they are more
        than chance is said by <code>storeprof compare</code>.
      </p>
      <Scope />
      <Metrics now={now} before={before} />
      <h3>Findings<Scope /></h3>
      <ChangedFindings now={now.findings} before={before.findings} />
      <h3>Wall time per operation<Scope span operation /></h3>
      <Bars />
    </>
  );
}

function Metrics({ now, before }: { now: Document; before: Document }) {
  const rows: [string, (one: Document) => number | null, (value: number | null) => string, boolean | null][] = [
    ["throughput", (one) => one.metrics.throughput_per_s, rate, true],
    ["P50", (one) => one.metrics.latency_s.p50, seconds, false],
    ["P95", (one) => one.metrics.latency_s.p95, seconds, false],
    ["P99", (one) => one.metrics.latency_s.p99, seconds, false],
    ["CPU", (one) => one.metrics.cpu_percent, (value) => (value === null ? "–" : `${Math.round(value)} %`), null],
    ["memory peak", (one) => one.metrics.rss_peak_bytes, bytes, false],
    ["written", (one) => one.metrics.written_bytes, bytes, null],
  ];
  return (
    <div class="scroll">
      <table class="changes">
        <thead><tr><th>figure</th><th>before</th><th>now</th><th>change</th></tr></thead>
        <tbody>{rows.map(([name, value, text, better]) => <tr key={name}><td>{name}</td><td>{text(value(before))}</td><td>{text(value(now))}</td><td><Change now={value(now)} before={value(before)} better={better} /></td></tr>)}</tbody>
      </table>
    </div>
  );
}

const worthAWord = 0.05; // a smaller change is not called better or worse: one recording a side does not carry that

/** `better`: whether more is better; null where neither is. */
function Change({ now, before, better }: { now: number | null; before: number | null; better: boolean | null }) {
  if (now === null || before === null || before === 0) return <span class="muted">–</span>;
  const ratio = now / before;
  const mood = better === null || Math.abs(ratio - 1) < worthAWord ? "" : ratio > 1 === better ? "good" : "bad";
  return <span class={`change ${mood}`}>{ratio >= 1 ? "▲ +" : "▼ −"}{share(Math.abs(ratio - 1))}{mood === "good" ? " better" : mood === "bad" ? " worse" : ""}</span>;
}

function ChangedFindings({ now, before }: { now: Finding[]; before: Finding[] }) {
  const earlier = new Map([...before].reverse().map((one) => [one.same, one]));
  const later = new Set(now.map((one) => one.same));
  const rows = [
    ...now.map((one) => ({ one, now: one as Finding | null, before: earlier.get(one.same) ?? null })),
    ...before.filter((one) => !later.has(one.same)).map((one) => ({ one, now: null, before: one as Finding | null })),
  ];
  if (!rows.length) return <p class="nothing">Neither recording has findings.</p>;
  return (
    <div class="scroll">
      <table class="changes">
        <thead><tr><th>finding</th><th>before</th><th>now</th><th>what became of it</th></tr></thead>
        <tbody>
          {rows.map(({ one, now, before }) => (
            <tr key={one.id}>
              <td><span class="kind">{one.kind}</span> {placeName(one)}{before && now && placeName(before) !== placeName(now) ? <span class="muted"> (was {placeName(before)})</span> : null}</td>
              <td>{before ? <><Severity value={before.severity} /> {size(before)}</> : <span class="muted">not found</span>}</td>
              <td>{now ? <><Severity value={now.severity} /> {size(now)}</> : <span class="muted">not found</span>}</td>
              <td><Fate now={now} before={before} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const order = { notice: 0, hotspot: 1, bottleneck: 2 };

function Fate({ now, before }: { now: Finding | null; before: Finding | null }) {
  if (!before) return <span class="change bad">new</span>;
  if (!now) return <span class="change good">gone</span>;
  const step = order[now.severity] - order[before.severity];
  const apart = now.share_ci && before.share_ci && (now.share_ci[0] > before.share_ci[1] || now.share_ci[1] < before.share_ci[0]);
  const larger = (now.share ?? 0) > (before.share ?? 0);
  if (step !== 0) return <span class={`change ${step > 0 ? "bad" : "good"}`}>{step > 0 ? "graver" : "lighter"}</span>;
  return apart ? <span class={`change ${larger ? "bad" : "good"}`}>{larger ? "larger" : "smaller"}</span> : <span class="muted">within its interval</span>;
}

interface Counted {
  label: string;
  now: Float64Array | null;
  before: Float64Array | null;
}

function Bars() {
  const one = view.value, earlier = other.value;
  if (!one || !earlier) return null;
  // Threads of two recordings are not the same ones: both sides are of all of them.
  const mine = sumsOf(one, { ...filter.value, operation: null, thread: null });
  const whole = sumsOf(earlier, { ...inOther(earlier), operation: null });
  const names = [...new Set([...one.operations, ...earlier.operations])];
  const chosen = operation.value ? one.operations[operation.value - 1] : null;
  const rows: Counted[] = names.filter((name) => chosen === null || name === chosen).map((label) => ({ label, now: each(one, mine.byOperation, label, spanSeconds.value), before: each(earlier, whole.byOperation, label, otherSpan(earlier)) }));
  const counted = rows.filter((row) => row.now || row.before);
  const list = counted.length ? counted : [{ label: "the program, per second", now: scaled(mine.byCategory, length(spanSeconds.value)), before: scaled(whole.byCategory, length(otherSpan(earlier))) }];
  const widest = Math.max(...list.flatMap((row) => [row.now, row.before].map((bar) => (bar ? sum(bar) : 0))), 1e-15);
  return (
    <>
      <div class="scroll">
        <table class="operations">
          <tbody>
            {list.map((row) => {
              const own = Math.max(row.now ? sum(row.now) : 0, row.before ? sum(row.before) : 0);
              return (
                <tr key={row.label}>
                  <td class="named"><Name text={row.label} /></td>
                  <td class="bars pair">
                    <span>before</span>{row.before ? <Parts values={row.before} of={own || widest} /> : <span class="muted">not counted</span>}<em>{row.before ? seconds(sum(row.before)) : ""}</em>
                    <span>now</span>{row.now ? <Parts values={row.now} of={own || widest} /> : <span class="muted">not counted</span>}<em>{row.now ? seconds(sum(row.now)) : ""}</em>
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <ul class="legend">{categories.filter((_, at) => list.some((row) => (row.now?.[at] ?? 0) + (row.before?.[at] ?? 0) > 0)).map((kind) => <li key={kind.key}><b class="swatch" style={{ background: kind.colour }} />{kind.label}</li>)}</ul>
      <p class="muted small">Each pair is on a scale of its own: the longer bar is the dearer version of that operation.</p>
    </>
  );
}

function scaled(values: Float64Array, by: number): Float64Array {
  return values.map((value) => value / Math.max(by, 1e-9));
}

function length([from, to]: [number, number]): number {
  return to - from;
}

/** Wall time of one operation by category; null where it was not counted. */
function each(one: View, byOperation: Float64Array[], name: string, span: [number, number]): Float64Array | null {
  const number = one.operations.indexOf(name) + 1;
  if (!number) return null;
  const done = (ratesOf(one, span)[number] ?? 0) * length(span);
  return done > 0 && sum(byOperation[number]) > 0 ? scaled(byOperation[number], done) : null;
}
