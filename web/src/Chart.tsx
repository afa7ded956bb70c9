// uPlot with the page's colours: charts over time share their cursor, and a drag in any of them selects a span.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { dark, selectSeconds, span, spanSeconds, view } from "./state";

export interface Given {
  label: string; // what a screen reader says of it
  data: uPlot.AlignedData;
  series: uPlot.Series[];
  height: number;
  value: (value: number) => string; // of the vertical axis
  logarithmic?: boolean;
  bands?: uPlot.Band[];
  whole?: boolean; // shows the whole window, with the selected span marked
  low?: number;
  gridless?: boolean;
  range?: [number, number];
  before?: (chart: uPlot) => void; // draws below the series
}

const inkOf = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Digits after the point that ticks so far apart need. */
function decimals(ticks: number[]): number {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : 1;
  for (let digits = 0; digits < 6; digits++) {
    const whole = step * 10 ** digits;
    if (Math.abs(whole - Math.round(whole)) < 1e-6) return digits;
  }
  return 6;
}

function marker(dash: number[] | undefined): string {
  return !dash?.length ? "solid" : dash[0] < 4 ? "dotted" : "dashed";
}

export function Chart(given: Given) {
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const night = dark.value;
  const [from, to] = given.whole ? [0, view.value?.duration_s ?? 1] : spanSeconds.value;

  useEffect(() => {
    const axis = { stroke: inkOf("--muted"), grid: { stroke: inkOf("--line"), width: 1 }, ticks: { show: false }, font: "11px ui-sans-serif, system-ui, sans-serif" };
    const made = new uPlot(
      {
        width: Math.max(holder.current!.clientWidth, 50),
        height: given.height,
        series: [{ label: "time", value: (_, value) => (value == null ? "" : `${value.toFixed(2)} s`) }, ...given.series],
        bands: given.bands,
        scales: {
          x: { time: false, range: [from, to] },
          y: given.logarithmic
            ? { distr: 3, range: given.range ? () => given.range! : undefined }
            : { range: (_, __, high) => [given.low ?? 0, Math.max((high ?? 1) * 1.06, 1e-9)] },
        },
        axes: [
          { ...axis, grid: given.gridless ? { show: false } : axis.grid, size: 26, values: (_, ticks) => ticks.map((tick) => `${Number(tick.toFixed(decimals(ticks)))} s`) },
          { ...axis, grid: given.gridless ? { show: false } : axis.grid, size: 62, values: (_, ticks) => ticks.map((tick) => (tick == null ? "" : given.value(tick))) },
        ],
        padding: [8, 24, 0, 0],
        legend: { live: true, markers: { width: 2, fill: () => "transparent", dash: (self, at) => marker(self.series[at].dash) } },
        cursor: { sync: { key: "time", scales: ["x", null] }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
        hooks: {
          setSelect: [(self) => {
            if (self.select.width < 3) return;
            const left = self.posToVal(self.select.left, "x"), right = self.posToVal(self.select.left + self.select.width, "x");
            selectSeconds(left, right);
            if (!given.whole) self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          }],
          drawClear: given.before ? [given.before] : [],
        },
      },
      given.data,
      holder.current!,
    );
    chart.current = made;
    const watch = new ResizeObserver(() => {
      if (!holder.current) return;
      made.setSize({ width: Math.max(holder.current.clientWidth, 50), height: given.height });
      mark();
    });
    watch.observe(holder.current!);
    const mark = () => {
      if (!given.whole) return;
      const chosen = span.peek();
      const [left, right] = chosen ? spanSeconds.peek().map((at) => made.valToPos(at, "x")) : [0, 0];
      made.setSelect({ left, top: 0, width: right - left, height: made.over.clientHeight }, false);
      made.root.classList.toggle("spanned", chosen !== null);
    };
    mark();
    return () => {
      watch.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [given.data, night, from, to, given.height, given.whole ? span.value : null]);

  const onKey = (event: KeyboardEvent) => {
    const one = view.value;
    if (!one || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    event.preventDefault();
    const step = (event.key === "ArrowRight" ? 1 : -1) * Math.max(1, Math.round(one.bins / 50));
    const now = span.value ?? { from: 0, to: Math.max(1, Math.round(one.bins / 10)) };
    if (event.shiftKey) span.value = { from: now.from, to: Math.min(one.bins, Math.max(now.from + 1, now.to + step)) };
    else {
      const by = Math.max(-now.from, Math.min(one.bins - now.to, step));
      span.value = { from: now.from + by, to: now.to + by };
    }
  };
  return (
    <div
      class={`chart ${given.whole ? "whole" : ""}`} ref={holder} tabIndex={0} role="application" onKeyDown={onKey}
      aria-label={`${given.label}. Drag to select a span; arrow keys move it, with Shift they widen it, Escape clears it.`}
    />
  );
}
