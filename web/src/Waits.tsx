// Files and locks: what was waited for, by whom, and who had it.
import { useState } from "preact/hooks";
import { Bar, Name } from "./Bar";
import { gil, io, lock, categories } from "./categories";
import { seconds, share, short } from "./format";
import type { View } from "./model";
import { add, files, locks, ranked, sums } from "./narrow";
import { threadName } from "./Threads";
import { search, selected, view } from "./state";

const most = 12;

export function Files() {
  const one = view.value, rows = files.value;
  if (!one) return null;
  if (!rows.length) return <p class="nothing">No thread was seen waiting for a file{selected.value ? " in the selection" : ""}.</p>;
  const whole = sums.value?.total ?? 0;
  return (
    <div class="scroll">
      <table>
        <thead><tr><th>file</th><th class="wide">time waited</th><th>calls</th><th>by</th></tr></thead>
        <tbody>
          {rows.slice(0, most).map((row) => (
            <tr key={row.name}>
              <td class="path"><Name text={row.name} /></td>
              <td class="wide"><Bar value={row.total / rows[0].total} colour={categories[io].colour} /> {seconds(row.total)} <em>{share(row.total / whole)}</em></td>
              <td>{row.calls.slice(0, 3).map(([name, value]) => `${name} ${share(value / row.total)}`).join(", ")}</td>
              <td><Who view={one} of={row.functions} whole={row.total} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > most && <p class="muted small">and {rows.length - most} files with less</p>}
    </div>
  );
}

function Who({ view: one, of, whole, otherwise = "no stack seen" }: { view: View; of: [number, number][]; whole: number; otherwise?: string }) {
  // Functions of one name are one line: native code may be in two libraries.
  const named = new Map<string | null, number>();
  for (const [called, value] of of) add(named, called >= 0 ? one.functions[called][0] : null, value);
  const rows = ranked(named);
  return (
    <ul class="who">
      {[...rows.filter(([name]) => name !== null).slice(0, 3), ...rows.filter(([name]) => name === null)].map(([name, value]) => {
        return (
          <li key={name}>
            {name ? <button type="button" class="link" title={name} onClick={() => (search.value = name)}>{short(name)}</button> : <span class="muted">{otherwise}</span>} <em>{share(value / whole)}</em>
          </li>
        );
      })}
    </ul>
  );
}

function Whose({ view: one, of, whole }: { view: View; of: [number, number][]; whole: number }) {
  return (
    <p class="muted whose">
      {of.slice(0, 4).map(([at, value]) => <span key={at}>{threadName(one, at)} {share(value / whole)}</span>)}
      {of.length > 4 && <span>and {of.length - 4} more threads</span>}
    </p>
  );
}

const locksAtFirst = 6;

export function Locks() {
  const one = view.value, rows = locks.value;
  const [every, setEvery] = useState(false);
  if (!one) return null;
  if (!rows.length) return <p class="nothing">No thread was seen waiting for a lock{selected.value ? " in the selection" : ""}.</p>;
  const whole = sums.value?.total ?? 0;
  return (
    <>
    <div class="locks">
      {rows.slice(0, every ? undefined : locksAtFirst).map((row) => {
        const held = row.holders.reduce((total, [, value]) => total + value, 0);
        return (
          <article key={row.name}>
            <h3 title={row.name}><b class="swatch" style={{ background: categories[row.kind === "gil" ? gil : lock].colour }} />{row.name}</h3>
            <p><Bar value={row.total / rows[0].total} colour={categories[row.kind === "gil" ? gil : lock].colour} /> {seconds(row.total)} waited <em>{share(row.total / whole)} of busy time</em></p>
            <div class="two">
              <div><h4>waiting</h4><Who view={one} of={row.waiters} whole={row.total} /><Whose view={one} of={row.waitingThreads} whole={row.total} /></div>
              <div>
                <h4>meanwhile {row.kind === "gil" ? "holding it" : "at work"}</h4>
                {held > 0 ? <><Who view={one} of={row.holders} whole={held} otherwise="elsewhere" /><Whose view={one} of={row.holdingThreads} whole={held} /></> : <p class="muted">nobody was seen beside the waits</p>}
              </div>
            </div>
          </article>
        );
      })}
    </div>
    {rows.length > locksAtFirst && <button type="button" class="link unfold" onClick={() => setEvery(!every)}>{every ? "fewer locks" : `all ${rows.length} locks`}</button>}
    </>
  );
}
