// The whole run at a glance: how many threads were busy at what, over time; dragging selects the span.
import { useMemo } from "preact/hooks";
import uPlot from "uplot";
import { Key } from "./Bar";
import { Chart } from "./Chart";
import { categories } from "./categories";
import { sums } from "./narrow";
import { binSeconds, operation, thread, view } from "./state";

export function Timeline() {
  const one = view.value;
  const made = useMemo(() => {
    if (!one) return null;
    const byCategory = one.categories.map(() => new Float64Array(one.bins));
    const rows = one.wall;
    for (let at = 0; at < rows.rows; at++) {
      if (operation.value !== null && rows.operation[at] !== operation.value) continue;
      if (thread.value !== null && rows.thread[at] !== thread.value) continue;
      byCategory[rows.category[at]][rows.bin[at]] += rows.weight[at] * (one.unit_ns / one.bin_ns);
    }
    const present = one.categories.map((_, at) => at).filter((at) => byCategory[at].some((value) => value > 0));
    const stacked: number[][] = [];
    let below = new Float64Array(one.bins);
    for (const at of present) {
      below = below.map((value, bin) => value + byCategory[at][bin]);
      stacked.push([...below, below[one.bins - 1]]);
    }
    const x = Array.from({ length: one.bins + 1 }, (_, bin) => bin * binSeconds(one)); // steps: the last one needs an end
    // Drawn from the top of the stack down, each over the one above it.
    const order = present.map((_, index) => index).reverse();
    return {
      data: [x, ...order.map((index) => stacked[index])] as uPlot.AlignedData,
      series: order.map((index) => {
        const category = categories[present[index]];
        const alone = byCategory[present[index]];
        return {
          label: category.label, stroke: category.colour, fill: category.colour, width: 0, points: { show: false },
          paths: stepped, value: (_: uPlot, __: number, ___: number, bin: number | null) => (bin == null ? "–" : (alone[bin] ?? 0).toFixed(2)),
        };
      }),
    };
  }, [one, operation.value, thread.value]);
  if (!one || !made) return <p class="muted">The view is being unpacked…</p>;
  if (!one.wall.rows) return <p class="nothing">No thread was seen busy.</p>;
  return (
    <>
      <Chart label="Threads busy over time, by what they did" whole height={170} value={(value) => `${Number(value.toPrecision(3))}`} {...made} />
      {sums.value && <Key values={sums.value.byCategory} />}
    </>
  );
}

const stepped = uPlot.paths.stepped!({ align: 1 });
