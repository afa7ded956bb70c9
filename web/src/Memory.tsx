// Resident memory per process, live bytes by tag, and the disk's bytes over time.
import { useMemo } from "preact/hooks";
import type uPlot from "uplot";
import { Chart } from "./Chart";
import { lines } from "./Throughput";
import { bytes } from "./format";
import type { View } from "./model";
import { binSeconds, span, spanSeconds, view } from "./state";

const rss = 0, read = 1, written = 2;

export function Memory() {
  const one = view.value;
  const resident = useMemo(() => one && byProcess(one, rss), [one]);
  const tags = useMemo(() => one && byTag(one), [one]);
  if (!one) return <p class="muted">The view is being unpacked…</p>;
  return (
    <div class="two">
      <div>
        <h3>Resident memory{resident ? grownWords(one) : ""}</h3>
        {resident ? <Lines label="Resident memory over time" height={190} value={bytes} made={resident} /> : <p class="nothing">{one.memory.rows ? "Resident memory was read too seldom for a curve." : "Resident memory could not be read."}</p>}
      </div>
      <div>
        <h3>Live bytes by tag</h3>
        {tags ? <Lines label="Live bytes by memory tag over time" height={190} value={bytes} made={tags} />
          : <p class="nothing">No tags: <code>profile_memory_alloc</code> and <code>PROFILE_MEMORY_ALLOC</code> in the program name them.</p>}
      </div>
    </div>
  );
}

function Lines({ made: { left, ...made }, ...rest }: { made: ReturnType<typeof aligned>; label: string; height: number; value: (value: number) => string }) {
  return (
    <>
      <Chart {...rest} {...made} />
      {left > 0 && <p class="muted small">The {lines.length} largest of {lines.length + left}.</p>}
    </>
  );
}

function grownWords(one: View): string {
  const [from, to] = spanSeconds.value;
  let change = 0, known = false;
  for (let process = 0; process < one.processes.length; process++) {
    const inside = points(one, process, rss).filter(([time]) => time >= from && time <= to);
    if (inside.length > 1) {
      change += inside[inside.length - 1][1] - inside[0][1];
      known = true;
    }
  }
  return known ? `: ${change >= 0 ? "+" : "−"}${bytes(Math.abs(change))} ${span.value ? "in this span" : "over the run"}` : "";
}

function points(one: View, process: number, kind: number): [number, number][] {
  const rows = one.memory, found: [number, number][] = [];
  for (let at = 0; at < rows.rows; at++) {
    if (rows.process[at] === process && rows.kind[at] === kind) found.push([(rows.bin[at] + 0.5) * binSeconds(one), rows.bytes[at]]);
  }
  return found;
}

type Line = { label: string; points: [number, number][] };

/** The lines that reach highest: more than eight are no longer told apart. */
function aligned(every: Line[], text: (value: number) => string, filled: boolean) {
  const peak = (line: Line) => line.points.reduce((most, [, value]) => Math.max(most, value), 0);
  const named = [...every].sort((a, b) => peak(b) - peak(a)).slice(0, lines.length);
  const times = [...new Set(named.flatMap((line) => line.points.map(([time]) => time)))].sort((a, b) => a - b);
  const data = named.map((line) => {
    const known = new Map(line.points);
    return times.map((time) => known.get(time) ?? null);
  });
  return {
    left: every.length - named.length,
    data: [times, ...data] as uPlot.AlignedData,
    series: named.map((line, at) => ({
      label: line.label, stroke: lines[at], width: 2, fill: filled && named.length === 1 ? `${lines[at]}22` : undefined, spanGaps: true,
      points: { show: false }, value: (_: uPlot, value: number | null) => (value == null ? "" : text(value)),
    })),
  };
}

function byProcess(one: View, kind: number) {
  const named = one.processes.map((process, at) => ({ label: `${process.name ?? "process"} ${process.pid}`, points: points(one, at, kind) })).filter((line) => line.points.length > 1);
  return named.length ? aligned(named, bytes, true) : null;
}

function byTag(one: View) {
  const rows = one.tagged;
  const named = one.tags.map((label) => ({ label, points: [] as [number, number][] }));
  for (let at = 0; at < rows.rows; at++) named[rows.tag[at]].points.push([(rows.bin[at] + 0.5) * binSeconds(one), rows.bytes[at]]);
  return named.length ? aligned(named, bytes, false) : null;
}

const perSecond = (value: number | null) => (value == null ? "–" : `${bytes(value)}/s`);

export function DiskBytes() {
  const one = view.value;
  const made = useMemo(() => {
    if (!one) return null;
    const named = [read, written].flatMap((kind) =>
      one.processes.map((process, at) => {
        const found = points(one, at, kind);
        const label = `${kind === read ? "read" : "written"}${one.processes.length > 1 ? ` by ${process.name} ${process.pid}` : ""}`;
        return { label, points: found.slice(1).map(([time, value], index): [number, number] => [time, (value - found[index][1]) / (time - found[index][0])]) };
      })).filter((line) => line.points.some(([, value]) => value > 0));
    return named.length ? aligned(named, perSecond, false) : null;
  }, [one]);
  if (!made) return <p class="nothing">The block layer moved no bytes for this program that could be counted.</p>;
  return <Lines label="Bytes read from and written to disk over time" height={160} value={perSecond} made={made} />;
}
