// What was looked at and what was not, what observing cost, and the machine.
import { Fragment } from "preact";
import { bytes, share } from "./format";
import type { Document } from "./model";
import { view } from "./state";

type Covered = Document["coverage"][number];

const costs: Record<string, string> = {
  timing_percent: "probes in all", floor_percent: "of it, calibrated floor", toggled_percent: "of it, seen by toggling", observer_percent: "observer and perf",
  memory_percent: "memory tags", timed_share: "operations timed", budget_percent: "budget",
};

function cost(name: string, value: unknown): string {
  if (typeof value !== "number") return String(value);
  return name.endsWith("_share") ? share(value) : name.endsWith("_percent") ? `${Number(value.toPrecision(3))} %` : String(Number(value.toPrecision(3)));
}

function between(ends: unknown): string {
  return Array.isArray(ends) ? ` (${ends.map((end) => Number(Number(end).toPrecision(2))).join(" to ")} %)` : "";
}

/** What many kinds have in common is said once above them. */
function common(rows: Covered[]): { reason: string; remedy: string | null; kinds: string[] }[] {
  const found = new Map<string, { reason: string; remedy: string | null; kinds: string[] }>();
  for (const { kind, checked, reason, remedy } of rows) {
    if (!checked || !reason) continue;
    const entry = found.get(reason) ?? { reason, remedy, kinds: [] };
    entry.kinds.push(kind);
    found.set(reason, entry);
  }
  return [...found.values()].filter((row) => row.kinds.length > 2);
}

export function Coverage({ document }: { document: Document }) {
  const shared = common(document.coverage);
  const said = new Set(shared.map((row) => row.reason));
  const { machine } = document.recorded;
  const folded = view.value?.folded_share ?? 0;
  return (
    <>
      {shared.map((row) => <p key={row.reason} class="nothing">Of {row.kinds.join(", ")}: {row.reason}{row.remedy ? `; ${row.remedy}` : ""}.</p>)}
      <div class="scroll">
        <table class="coverage">
          <thead><tr><th>kind</th><th>looked at</th><th>by, or why not</th><th>what would help</th></tr></thead>
          <tbody>
            {document.coverage.map((row) => (
              <tr key={row.kind}>
                <td>{row.kind}</td>
                <td><span class={row.checked ? "yes" : "no"}><i aria-hidden="true">{row.checked ? "✓" : "✕"}</i> {row.checked ? "yes" : "no"}</span></td>
                <td>{[row.checked ? row.by : null, said.has(row.reason ?? "") ? "in part, see above" : row.reason].filter(Boolean).join("; ")}</td>
                <td class="muted">{said.has(row.reason ?? "") ? "" : row.remedy ?? ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="two facts-of-run">
        <div>
          <h3>What observing cost</h3>
          <dl class="facts">
            {Object.entries(document.overhead).filter(([, value]) => value !== null && typeof value !== "object").map(([name, value]) => (
              <Fragment key={name}><dt>{costs[name] ?? name.replace(/_/g, " ")}</dt><dd>{cost(name, value)}{name === "timing_percent" ? between(document.overhead.timing_ci) : ""}</dd></Fragment>
            ))}
          </dl>
        </div>
        <div>
          <h3>Machine</h3>
          <dl class="facts">
            {Object.entries(machine ?? {}).filter(([name, value]) => name !== "boot_id" && value !== null).map(([name, value]) => (
              <Fragment key={name}><dt>{name.replace(/_/g, " ").replace("cpu", "CPU")}</dt><dd>{name.endsWith("bytes") ? bytes(Number(value)) : Array.isArray(value) ? value.map((one) => (typeof one === "number" ? one.toFixed(2) : String(one))).join(" ") : String(value)}</dd></Fragment>
            ))}
          </dl>
        </div>
      </div>
      {document.imported && document.imported.length > 0 && (
        <>
          <h3>Imported files</h3>
          <p class="small">{document.imported.map((one) => `${one.file} (${one.format})${one.cut_short ? `: ${one.cut_short}` : ""}`).join("; ")}</p>
        </>
      )}
      <p class="muted small">
        Recorded by storeprof {document.recorded.storeprof}. Bins of this page are {view.value ? (view.value.bin_ns / 1e6).toFixed(0) : "?"} ms long
        {folded > 0.0005 ? `; ${(folded * 100).toFixed(1)} % of the time stands at callers of the rarest calling contexts, so that the page stays small` : ""}.
      </p>
    </>
  );
}
