// Findings with what they rest on; each leads into the flame graph.
import { useState } from "preact/hooks";
import { bytes, fileName, seconds, share, short, times } from "./format";
import type { Finding, Place } from "./model";
import { findingShare } from "./narrow";
import { type Mode, mode, search, selected, view } from "./state";

const modes: Record<string, Mode> = {
  "cpu-hotspot": "cpu", "lock-contention": "reason-2", "gil-contention": "reason-3", "io-wait": "reason-4", "network-wait": "reason-5",
  "dependency-wait": "reason-6", "sleep-wait": "reason-9", "page-faults": "wall", "memory-leak": "grown", "cpu-starvation": "reason-1",
};

const shownAtFirst = 5;

export function Findings({ list, unsure }: { list: Finding[]; unsure: boolean }) {
  const [every, setEvery] = useState(false);
  if (!list.length) return <p class="nothing">{unsure ? "Nothing was found, and too little was seen to say that there is nothing." : "Nothing stands out."}</p>;
  return (
    <>
      <div class="findings">{(every ? list : list.slice(0, shownAtFirst)).map((one, at) => <Card key={one.id + (one.runs?.workload ?? "")} one={one} open={at === 0 && one.severity !== "notice"} />)}</div>
      {list.length > shownAtFirst && <button type="button" class="link unfold" onClick={() => setEvery(!every)}>{every ? "fewer" : `${list.length - shownAtFirst} smaller ${list.length - shownAtFirst === 1 ? "one" : "ones"}`}</button>}
    </>
  );
}

const marks = { bottleneck: "▲", hotspot: "◆", notice: "●" };

export function Severity({ value }: { value: Finding["severity"] }) {
  return <span class={`severity ${value}`}><i aria-hidden="true">{marks[value]}</i> {value}</span>;
}

export function size(one: Finding): string {
  if (one.share !== null) return `${share(one.share)}${one.share_ci ? ` (${share(one.share_ci[0])} to ${share(one.share_ci[1])})` : ""} of ${one.share_of === "cpu" ? "CPU time" : "busy time"}`;
  if (one.rate_bytes_per_s !== null) return `${bytes(one.rate_bytes_per_s)}/s${one.rate_ci ? ` (${bytes(one.rate_ci[0])} to ${bytes(one.rate_ci[1])})` : ""}`;
  return "size unknown";
}

export function placeName(one: Finding): string {
  return one.where.function ?? one.where.resource ?? "no place known";
}

const methods: Record<string, string> = { amdahl: "Amdahl's law" };

/** What the gain is of: a latency gets shorter by it, everything else grows. */
function gained(one: Finding): string {
  return one.impact.basis === "latency" ? "shorter latency" : `the ${one.impact.basis}`;
}

function Card({ one, open }: { one: Finding; open: boolean }) {
  const gain = one.impact.speedup_if_fixed;
  const [low, high] = one.share_ci ?? [0, 0];
  return (
    <details class={`finding ${one.severity}`} open={open}>
      <summary>
        <span class="line">
          <Severity value={one.severity} /> <span class="kind">{one.kind}</span>
          {gain > 1 && <span class="gain" title={`${methods[one.impact.method] ?? one.impact.method}: ${times(one.impact.ci[0])} to ${times(one.impact.ci[1])}`}>{times(gain)} {gained(one)} without it</span>}
        </span>
        <strong>{placeName(one)}</strong>
        <span class="line muted">
          {one.where.file && <span title={one.where.file}>{fileName(one.where.file)}{one.where.line ? `:${one.where.line}` : ""}</span>}
          <span>{size(one)}</span>
          <Narrowed one={one} />
        </span>
        {one.share !== null && (
          <span class="interval" aria-hidden="true"><b style={{ width: `${one.share * 100}%` }} /><i style={{ left: `${low * 100}%`, width: `${Math.max(0.4, (high - low) * 100)}%` }} /></span>
        )}
      </summary>
      <div class="detail">
        <p class="first"><b>Do first:</b> {one.recommendation}</p>
        {one.evidence.length > 0 && <ul class="evidence">{one.evidence.map((line) => <li key={line}>{line}</li>)}</ul>}
        <div class="beside">
        <dl class="facts">
          {one.where.operation && <><dt>operation</dt><dd>{one.where.operation}</dd></>}
          {one.where.resource && <><dt>waits for</dt><dd class="path">{one.where.resource}</dd></>}
          {one.per_operation?.seconds != null && <><dt>per operation</dt><dd>{seconds(one.per_operation.seconds)}</dd></>}
          {gain > 1 && <><dt>gain</dt><dd>at most {times(gain)} ({times(one.impact.ci[0])} to {times(one.impact.ci[1])}) {gained(one)}, by {methods[one.impact.method] ?? one.impact.method}</dd></>}
          <dt>effort</dt><dd>{one.effort}</dd>
          {one.runs && <><dt>runs</dt><dd>in {one.runs.found} of {one.runs.of}{one.runs.workload ? ` of ${one.runs.workload}` : ""}</dd></>}
        </dl>
          {one.call_paths.length > 0 && <Paths of={one.call_paths} />}
          {one.lines.length > 0 && (
            <div><h4>lines</h4><ol class="rows">{one.lines.map((row) => <li key={`${row.file}${row.line}`}><span class="mono">{fileName(row.file)}:{row.line ?? "?"}</span><em>{share(row.share)}</em></li>)}</ol></div>
          )}
          {one.holders.length > 0 && (
            <div><h4>meanwhile, the other side</h4><ol class="rows">{one.holders.map((row) => <li key={`${row.function}${row.line}`}><span title={row.function ?? ""}>{short(row.function ?? "not known")}</span><em>{share(row.share)}</em></li>)}</ol></div>
          )}
        </div>
        <p class="verify muted"><b>Verify:</b> {one.verify}</p>
        {one.where.function && <button type="button" onClick={() => showInFlame(one)}>Show in the flame graph</button>}
      </div>
    </details>
  );
}

function Narrowed({ one }: { one: Finding }) {
  if (!view.value || !selected.value) return null;
  const here = findingShare(view.value, one.kind, one.where.function, one.where.resource);
  return here === null ? null : <span class="here">in the selection about {share(here)}</span>;
}

function Paths({ of }: { of: Finding["call_paths"] }) {
  const [shown, setShown] = useState(0);
  return (
    <div class="paths">
      <Path frames={of[shown].frames} of={of[shown].share} />
      {of.length > 1 && (
        <p class="choices small" role="group" aria-label="Call paths">
          {of.map((path, at) => <button type="button" class="choice" key={at} aria-pressed={shown === at} onClick={() => setShown(at)}>path {at + 1}: {share(path.share)}</button>)}
        </p>
      )}
    </div>
  );
}

function Path({ frames, of }: { frames: Place[]; of: number }) {
  return (
    <div class="callpath">
      <h4>call path <em>{share(of)}</em></h4>
      <ol>
        {frames.map((frame, at) => (
          <li key={at} style={{ paddingLeft: `${Math.min(at, 14) * 0.7}rem` }} title={frame.file ?? ""}>
            <span>{short(frame.function ?? "?", 3)}</span> <span class="muted">{fileName(frame.file)}{frame.line ? `:${frame.line}` : ""}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

function showInFlame(one: Finding): void {
  mode.value = modes[one.kind] ?? "wall";
  search.value = one.where.function ?? "";
  document.getElementById("flame")?.scrollIntoView({ behavior: "smooth" });
}
