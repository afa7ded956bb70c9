// Operations per second over time.
import { useMemo } from "preact/hooks";
import type uPlot from "uplot";
import { Chart } from "./Chart";
import { rate } from "./format";
import type { View } from "./model";
import { operation, view } from "./state";

export const lines = ["#2271b2", "#d55e00", "#359b73", "#e985bf", "#e69f00", "#501fbc", "#7fc4ee", "#798696"];

/** Numbers of operations that get a line: the busiest. */
function busiest(one: View): { numbers: number[]; left: number } {
  const counts = new Map<number, number>();
  for (let row = 0; row < one.done.rows; row++) {
    const number = one.done.operation[row];
    if (operation.value === null || operation.value === number || number === 0) counts.set(number, (counts.get(number) ?? 0) + one.done.count[row]);
  }
  const numbers = [...counts].sort((a, b) => b[1] - a[1]).map(([number]) => number);
  return { numbers: numbers.slice(0, lines.length), left: Math.max(0, numbers.length - lines.length) };
}

export function Throughput() {
  const one = view.value;
  const made = useMemo(() => {
    if (!one || one.done.rows === 0) return null;
    const rows = one.done;
    const { numbers, left } = busiest(one);
    const times = [...new Set(Array.from(rows.to_ms))].sort((a, b) => a - b);
    const at = new Map(times.map((time, index) => [time, index]));
    const found = numbers.map(() => new Array<number>(times.length).fill(0));
    for (let row = 0; row < rows.rows; row++) {
      const length = (rows.to_ms[row] - rows.from_ms[row]) / 1e3;
      const to = numbers.indexOf(rows.operation[row]);
      if (to >= 0 && length > 0) found[to][at.get(rows.to_ms[row])!] += rows.count[row] / length;
    }
    return {
      left,
      data: [times.map((time) => time / 1e3), ...found] as uPlot.AlignedData,
      series: numbers.map((number, index) => ({
        label: number === 0 ? "operations" : one.operations[number - 1], stroke: lines[index], width: 2, points: { show: false },
        value: (_: uPlot, value: number | null) => (value == null ? "" : rate(value)),
      })),
    };
  }, [one, operation.value]);
  if (!made || made.data[0].length < 2) return <p class="nothing">How many operations were done when is not known of this program.</p>;
  const { left, ...chart } = made;
  return (
    <>
      <Chart label="Operations per second over time" height={180} value={rate} {...chart} />
      {left > 0 && <p class="muted small">The {lines.length} busiest have a line; {left} others are drawn when they are chosen.</p>}
    </>
  );
}
