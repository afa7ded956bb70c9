// Operations per second over time.
import { useMemo } from "preact/hooks";
import type uPlot from "uplot";
import { Chart } from "./Chart";
import { rate } from "./format";
import { operation, view } from "./state";

export const lines = ["#2271b2", "#d55e00", "#359b73", "#cc79a7", "#e69f00", "#6a4c93", "#7fc4ee", "#8c96a3"];

export function Throughput() {
  const one = view.value;
  const made = useMemo(() => {
    if (!one || one.done.rows === 0) return null;
    const rows = one.done;
    const numbers = [...new Set(Array.from(rows.operation))].filter((number) => operation.value === null || operation.value === number || number === 0);
    const times = [...new Set(Array.from(rows.to_ms))].sort((a, b) => a - b);
    const at = new Map(times.map((time, index) => [time, index]));
    const found = numbers.map(() => new Array<number>(times.length).fill(0));
    for (let row = 0; row < rows.rows; row++) {
      const line = numbers.indexOf(rows.operation[row]);
      const length = (rows.to_ms[row] - rows.from_ms[row]) / 1e3;
      if (line >= 0 && length > 0) found[line][at.get(rows.to_ms[row])!] += rows.count[row] / length;
    }
    const dashes = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
    return {
      data: [times.map((time) => time / 1e3), ...found] as uPlot.AlignedData,
      series: numbers.map((number, line) => ({
        label: number === 0 ? "operations" : one.operations[number - 1], stroke: lines[line % lines.length], width: 2,
        dash: dashes[Math.floor(line / lines.length) % dashes.length], points: { show: false }, value: (_: uPlot, value: number) => rate(value),
      })),
    };
  }, [one, operation.value]);
  if (!made || made.data[0].length < 2) return <p class="nothing">How many operations were done when is not known of this program.</p>;
  return <Chart label="Operations per second over time" height={180} value={rate} {...made} />;
}
