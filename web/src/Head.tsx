// Verdict, the run's figures, and what is selected.
import { bytes, fileName, rate, seconds, share } from "./format";
import type { Document } from "./model";
import { cpu, gc } from "./categories";
import { latencyCounts, percentiles, rates, sums } from "./narrow";
import { binSeconds, clearSelection, compared, data, operation, run, selected, span, spanSeconds, theme, thread, view, helpShown } from "./state";
import { threadName } from "./Threads";

const words = { bottleneck: "Bottleneck", "no-bottleneck": "No bottleneck", inconclusive: "Can't tell yet" };
const marks = { bottleneck: "▲", "no-bottleneck": "✓", inconclusive: "?" };

export const sections: [id: string, title: string][] = [
  ...(compared ? [["changes", "Changes"] as [string, string]] : []), ["findings", "Findings"], ["time", "Time"], ["flame", "Flame graph"], ["operations", "Operations"], ["latency", "Latency"], ["threads", "Threads"],
  ["locks", "Locks"], ["files", "Files"], ["memory", "Memory"], ["coverage", "Coverage"],
];

export function TopBar() {
  const next = { auto: "light", light: "dark", dark: "auto" } as const;
  return (
    <header class="top">
      <span class="brand">storeprof</span>
      <nav aria-label="Sections">{sections.map(([id, title]) => <a key={id} href={`#${id}`}>{title}</a>)}</nav>
      {data.sides.shown.views.length > 1 && (
        <select aria-label="Run that is shown" value={run.value} onChange={(event) => { clearSelection(); run.value = Number(event.currentTarget.value); }}>
          {data.sides.shown.views.map((name, at) => <option key={name} value={at}>{name}</option>)}
        </select>
      )}
      <button type="button" class="quiet" onClick={() => (theme.value = next[theme.value])} title="Light, dark, or as the system has it (T)">{theme.value === "auto" ? "◐ auto" : theme.value === "light" ? "○ light" : "● dark"}</button>
      <button type="button" class="quiet" onClick={() => (helpShown.value = true)} title="Keys (?)">?</button>
    </header>
  );
}

export function Selection() {
  const one = view.value;
  if (!one || !selected.value) return null;
  const [from, to] = spanSeconds.value;
  const chip = (text: string, clear: () => void) => <button type="button" class="chip" onClick={clear} aria-label={`Clear: ${text}`}>{text} <i aria-hidden="true">×</i></button>;
  return (
    <div class="selection" role="status">
      <span>Narrowed to</span>
      {span.value && chip(`${from.toFixed(binSeconds(one) < 0.1 ? 2 : 1)} – ${to.toFixed(binSeconds(one) < 0.1 ? 2 : 1)} s`, () => (span.value = null))}
      {operation.value !== null && chip(operation.value ? one.operations[operation.value - 1] : "outside operations", () => (operation.value = null))}
      {thread.value !== null && chip(`thread ${threadName(one, thread.value)}`, () => (thread.value = null))}
      <span class="muted">{sums.value ? `${seconds(sums.value.total)} of busy time` : ""}</span>
      <button type="button" class="quiet" onClick={clearSelection}>clear (Esc)</button>
    </div>
  );
}

export function Verdict({ document }: { document: Document }) {
  const { recorded } = document;
  const command = recorded.engine ? `${recorded.engine}${recorded.workload ? `, workload ${recorded.workload}` : ""}, ${recorded.threads} threads`
    : recorded.command ? recorded.command.join(" ") : document.imported?.length ? importedFrom(document.imported) : `process ${recorded.attached_pid ?? "unknown"}`;
  return (
    <section class={`verdict ${document.verdict}`}>
      <div>
        <p class="badge"><i aria-hidden="true">{marks[document.verdict]}</i> {words[document.verdict]}</p>
        <h1 title={document.summary}>{headline(document)}</h1>
        <p class="muted command" title={command}>{command}</p>
        <p class="muted">
          {recorded.started_at ? new Date(recorded.started_at).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" }) : "time unknown"}
          {" · "}{document.duration_s == null ? "length unknown" : `${seconds(document.duration_s)} measured`}{document.runs ? ` in ${document.runs.length} runs` : ""}{compared ? " · compared with another recording" : ""}
        </p>
      </div>
      <Figures document={document} />
    </section>
  );
}

function importedFrom(files: NonNullable<Document["imported"]>): string {
  const named = files.find((one) => one.figures.process)?.figures.process;
  const others = files.length > 1 ? ` and ${files.length - 1} more` : "";
  return `${named ? `${named}, ` : ""}imported from ${files[0].file}${others}`;
}

/** The summary as a sentence, files by their name alone: the whole path is in its title, and in the finding. */
function headline({ summary, findings }: Document): string {
  const files = new Set(findings.map((one) => one.where.file).filter((file) => file !== null));
  const text = [...files].reduce((words, file) => words.replaceAll(file, fileName(file)), summary);
  return text.startsWith("gil-") ? `GIL${text.slice(3)}` : text.slice(0, 1).toUpperCase() + text.slice(1);
}

function Figures({ document }: { document: Document }) {
  const narrowed = selected.value ? inSelection() : null;
  const { metrics, overhead } = document;
  const tiles: [string, string, string?][] = narrowed ?? [
    ["throughput", rate(metrics.throughput_per_s), metrics.throughput_ci ? between(metrics.throughput_ci) : undefined],
    ["P50", seconds(metrics.latency_s.p50)],
    ["P95", seconds(metrics.latency_s.p95)],
    ["P99", seconds(metrics.latency_s.p99)],
    ["CPU", metrics.cpu_percent === null ? "–" : share(metrics.cpu_percent / 100), metrics.cpu_percent === null ? undefined : "of one core"],
    ["memory peak", bytes(metrics.rss_peak_bytes)],
    ["written", bytes(metrics.written_bytes)],
    ["observing cost", overhead.observer_percent == null ? "–" : `${Number(overhead.observer_percent.toPrecision(2))} %`, overhead.observer_percent == null ? undefined : "of the CPUs"],
  ];
  return (
    <div>
      <dl class="figures">{tiles.map(([name, value, note]) => <div key={name}><dt>{name}</dt><dd>{value}{note && <small title={note}>{note}</small>}</dd></div>)}</dl>
      <p class="muted small">{narrowed ? "of what is selected" : "of the whole run"}</p>
    </div>
  );
}

function between([low, high]: [number, number]): string {
  const unit = / .*$/.exec(rate(high))?.[0] ?? "/s";
  return rate(low).endsWith(unit) ? `${rate(low).slice(0, -unit.length)} to ${rate(high)}` : `${rate(low)} to ${rate(high)}`;
}

/** The same figures of what is selected; those that a selection can't narrow are left out. */
function inSelection(): [string, string, string?][] | null {
  const one = view.value, counts = latencyCounts.value, narrowed = sums.value;
  if (!one || !counts || !narrowed) return null;
  const chosen = operation.value;
  const [from, to] = spanSeconds.value;
  const merged = new Float64Array(one.buckets_ns.length);
  counts.forEach((row, number) => { if (chosen === null || chosen === number) row.forEach((value, bucket) => (merged[bucket] += value)); });
  const latency = percentiles(merged, one.buckets_ns);
  const done = rates.value.filter((_, number) => chosen === null || chosen === number).reduce<number | null>((total, value) => (value === null ? total : (total ?? 0) + value), null);
  // Operations know no thread.
  const timed = (value: number | null): string => (thread.value === null ? seconds(value) : "–");
  const onCpu = (narrowed.byCategory[cpu] + narrowed.byCategory[gc]) / Math.max(to - from, 1e-9);
  return [
    ["throughput", thread.value === null ? rate(done) : "–"],
    ["P50", timed(latency.p50)], ["P95", timed(latency.p95)], ["P99", timed(latency.p99)],
    ["CPU", share(onCpu), "of one core"],
    ["busy", seconds(narrowed.total), `in ${seconds(to - from)}`],
  ];
}
