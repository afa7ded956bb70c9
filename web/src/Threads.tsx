// What each thread did or waited for, over time: one lane a thread.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Key } from "./Bar";
import { categories } from "./categories";
import { seconds, share } from "./format";
import type { View } from "./model";
import { lanes, sum, sums } from "./narrow";
import { dark, selectSeconds, selected, thread, view, window_ } from "./state";

const shownAtFirst = 16, laneHeight = 30;

export function Threads() {
  const one = view.value, narrowed = sums.value, times = lanes.value;
  const [every, setEvery] = useState(false);
  if (!one || !narrowed || !times) return <p class="muted">The view is being unpacked…</p>;
  const order = one.threads.map((_, at) => at).filter((at) => sum(narrowed.byThread[at]) > 0 || there(one, at))
    .sort((a, b) => sum(narrowed.byThread[b]) - sum(narrowed.byThread[a]));
  if (!order.length) return <p class="nothing">No thread was seen{selected.value ? " in the selection" : ""}.</p>;
  const shown = every ? order : order.slice(0, shownAtFirst);
  return (
    <>
      <div class="lanes">
        {shown.map((at) => (
          <div class={`lane ${thread.value === at ? "chosen" : ""}`} key={at}>
            <button type="button" class="link" aria-pressed={thread.value === at} onClick={() => (thread.value = thread.value === at ? null : at)} title={`${threadName(one, at)}: narrow the page to this thread`}>
              {threadName(one, at)}
            </button>
            <Lane view={one} at={at} times={times[at]} />
            <span class="muted">{seconds(sum(narrowed.byThread[at]))} busy</span>
          </div>
        ))}
      </div>
      <Key values={narrowed.byCategory} spare />
      {order.length > shownAtFirst && <button type="button" class="link unfold" onClick={() => setEvery(!every)}>{every ? "fewer threads" : `all ${order.length} threads`}</button>}
    </>
  );
}

export function threadName(one: View, at: number): string {
  const { name, tid, pid } = one.threads[at];
  const process = one.processes.length > 1 && pid !== null ? ` of ${pid}` : "";
  return `${name ?? "thread"} ${tid ?? ""}${tid !== null && tid === pid ? " (main)" : process}`;
}

function there(one: View, at: number): boolean {
  for (let bin = 0; bin < one.bins; bin++) if (one.presence.permille[at * one.bins + bin] > 0) return true;
  return false;
}

function Lane({ view: one, at, times }: { view: View; at: number; times: Float64Array }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [tip, setTip] = useState<{ x: number; bin: number } | null>(null);
  const [pressed, setPressed] = useState<number | null>(null);
  const { from, to } = window_.value;
  const night = dark.value;
  const totals = useMemo(() => one.categories.map((_, kind) => sum(times.subarray(kind * one.bins + from, kind * one.bins + to))), [one, times, from, to]);
  useEffect(() => {
    const watch = new ResizeObserver(() => canvas.current && setWidth(canvas.current.clientWidth));
    watch.observe(canvas.current!);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    if (width > 0) paint(canvas.current!, one, at, times, from, to, width);
  }, [one, at, times, from, to, width, night]);
  const binAt = (event: MouseEvent) => from + Math.min(to - from - 1, Math.max(0, Math.floor((event.offsetX / Math.max(width, 1)) * (to - from))));
  const busy = sum(totals);
  const words = categories.map((kind, index) => ({ kind, value: totals[index] })).filter((part) => part.value > 0)
    .map((part) => `${part.kind.label} ${share(part.value / busy)}`).join(", ");
  return (
    <span class="canvas">
      <canvas
        ref={canvas} role="img" aria-label={words || "idle"} style={{ height: `${laneHeight}px` }}
        onMouseMove={(event) => setTip({ x: event.offsetX, bin: binAt(event) })}
        onMouseLeave={() => setTip(null)}
        onMouseDown={(event) => setPressed(binAt(event))}
        onMouseUp={(event) => {
          const end = binAt(event);
          if (pressed !== null && Math.abs(end - pressed) > 0) selectSeconds((Math.min(pressed, end) * one.bin_ns) / 1e9, ((Math.max(pressed, end) + 1) * one.bin_ns) / 1e9);
          setPressed(null);
        }}
      />
      {tip && <LaneTip view={one} at={at} times={times} bin={tip.bin} x={tip.x} right={tip.x > width / 2 ? width - tip.x : null} />}
    </span>
  );
}

function LaneTip({ view: one, at, times, bin, x, right }: { view: View; at: number; times: Float64Array; bin: number; x: number; right: number | null }) {
  const length = one.bin_ns / 1e9;
  const parts = categories.map((kind, index) => ({ kind, value: times[index * one.bins + bin] / length })).filter((part) => part.value > 0.002);
  const present = one.presence.permille[at * one.bins + bin] / 1000;
  return (
    <span class="tip inside" style={right === null ? { left: `${x + 12}px` } : { right: `${right + 12}px` }}>
      <strong>{(bin * length).toFixed(2)} s</strong>
      {parts.map((part) => <span key={part.kind.key}><b class="swatch" style={{ background: part.kind.colour }} />{part.kind.label} {share(part.value)}</span>)}
      <span class="muted">{present === 0 ? "not there" : `idle ${share(Math.max(0, present - parts.reduce((total, part) => total + part.value, 0)))}`}</span>
    </span>
  );
}

function paint(canvas: HTMLCanvasElement, one: View, at: number, times: Float64Array, from: number, to: number, width: number): void {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = laneHeight * ratio;
  const pen = canvas.getContext("2d")!;
  pen.scale(ratio, ratio);
  const idleColour = getComputedStyle(canvas).getPropertyValue("--idle");
  const step = width / (to - from), length = one.bin_ns / 1e9;
  for (let bin = from; bin < to; bin++) {
    const x = (bin - from) * step, wide = step + 0.5;
    const present = one.presence.permille[at * one.bins + bin] / 1000;
    if (present > 0) {
      pen.fillStyle = idleColour;
      pen.fillRect(x, laneHeight * (1 - present), wide, laneHeight * present);
    }
    let busy = 0;
    for (let kind = 0; kind < categories.length; kind++) busy += times[kind * one.bins + bin];
    // A wait that was seen once may stand for more than its bin.
    const scale = laneHeight / Math.max(length, busy);
    let y = laneHeight;
    for (let kind = 0; kind < categories.length; kind++) {
      const tall = times[kind * one.bins + bin] * scale;
      if (tall <= 0) continue;
      y -= tall;
      pen.fillStyle = categories[kind].colour;
      pen.fillRect(x, y, wide, tall + 0.25);
    }
  }
}
