// Flame graph with its controls: what it counts, search, zoom, invert, and the functions it is made of.
import type { Signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Bar } from "./Bar";
import { threadName } from "./Threads";
import { FlameCanvas } from "./FlameCanvas";
import { categories } from "./categories";
import { type Frame, difference, find, functions, grow, invert, lay, wait, withoutOperation } from "./calls";
import { bytes, fileName, seconds, share, short } from "./format";
import type { View } from "./model";
import { filter, inOther, otherSpan, ratesOf, sums } from "./narrow";
import { type Mode, compared, dark, direction, inverted, mode, operation, other, search, selected, spanSeconds, thread, view } from "./state";

export function Flame() {
  const one = view.value;
  const [zoomed, setZoomed] = useState<Frame | null>(null);
  const before = other.value;
  const per = compared && one && before ? perOperation(one, before) : null;
  const ofBefore = compared && direction.value === "before";
  const tree = useMemo(() => {
    if (!one) return null;
    // Threads of two recordings are not the same ones: a difference is of all of them.
    const now = grow(one, compared ? { ...filter.value, thread: null } : filter.value, mode.value, per?.now ?? 1);
    const merged = before ? difference(now, grow(before, inOther(before), mode.value, per?.before ?? 1)) : now;
    const root = inverted.value ? invert(merged) : merged;
    return { root, list: functions(merged), deepest: lay(root, ofBefore) };
  }, [one, before, filter.value, mode.value, inverted.value, ofBefore]);
  useEffect(() => setZoomed(null), [tree]);
  const found = useMemo(() => (tree ? find(tree.root, search.value, ofBefore) : null), [tree, search.value]);
  if (!one || !tree || !found) return <p class="muted">The view is being unpacked…</p>;
  const memory = mode.value === "grown" || mode.value === "allocated";
  const size = (value: number) => (memory ? bytes(value) : seconds(value)) + (per ? per.unit : "");
  const at = zoomed && isBelow(zoomed, tree.root) ? zoomed : tree.root;
  return (
    <>
      <Controls view={one} found={found} />
      <Way to={at} onZoom={setZoomed} />
      {tree.root.width > 0 ? (
        <FlameCanvas
          root={tree.root} deepest={tree.deepest} zoomed={at} searching={search.value.trim() !== ""} comparing={compared}
          ofBefore={ofBefore} dark={dark.value} size={size} onZoom={(to) => setZoomed(to)}
        />
      ) : (
        <p class="nothing">{nothing(one, memory)}</p>
      )}
      <Legend memory={memory} view={one} />
      {tree.root.width > 0 && <Functions list={tree.list} whole={tree.root.total} size={size} />}
    </>
  );
}

function nothing(one: View, memory: boolean): string {
  if (memory) return one.allocations.rows ? "No sampled allocation falls into the selection." : "No allocations were sampled in this recording.";
  return selected.value || mode.value !== "wall" ? "Nothing of this kind falls into what is selected." : "No busy time was seen.";
}

/** Both recordings per operation where both count them, else per second: what else could be compared? */
function perOperation(now: View, before: View): { now: number; before: number; unit: string } {
  const only = filter.value.operation;
  const counted = ([one, span, number]: [View, [number, number], number | null]) => {
    const rates = ratesOf(one, span);
    const chosen = number === null ? rates : [rates[number]];
    return chosen.reduce<number>((sum, rate) => sum + (rate ?? 0), 0);
  };
  const spans = [spanSeconds.value, otherSpan(before)];
  const rates = [counted([now, spans[0], only]), counted([before, spans[1], inOther(before).operation])];
  const lengths = spans.map(([from, to]) => Math.max(to - from, 1e-9));
  if (rates[0] > 0 && rates[1] > 0) return { now: 1 / (rates[0] * lengths[0]), before: 1 / (rates[1] * lengths[1]), unit: " per operation" };
  return { now: 1 / lengths[0], before: 1 / lengths[1], unit: " per second" };
}

function isBelow(one: Frame, root: Frame): boolean {
  let at: Frame | null = one;
  while (at && at !== root) at = at.parent;
  return at === root;
}

function Controls({ view: one, found }: { view: View; found: { frames: number; share: number } }) {
  const present = sums.value;
  const reasons = present ? one.categories.map((key, at) => ({ key, at })).filter(({ at }) => at !== 0 && at !== 7 && present.byCategory[at] > 0) : [];
  const choose = (value: Mode, text: string) => (
    <button type="button" class="choice" aria-pressed={mode.value === value} onClick={() => (mode.value = value)}>{text}</button>
  );
  return (
    <div class="controls">
      <div class="choices" role="group" aria-label="What the flame graph counts">
        {choose("wall", "All busy time")}
        {choose("cpu", "On CPU")}
        {choose("off", "Off CPU")}
        <select
          aria-label="Off CPU, by reason" class={mode.value.startsWith("reason") ? "chosen" : ""} value={mode.value.startsWith("reason") ? mode.value : ""}
          onChange={(event) => (mode.value = (event.currentTarget.value || "off") as Mode)}
        >
          <option value="">by reason…</option>
          {reasons.map(({ key, at }) => <option key={key} value={`reason-${at}`}>{categories[at].label}</option>)}
        </select>
        {choose("grown", "Memory that stayed")}
        {choose("allocated", "All allocations")}
      </div>
      {compared && (
        <div class="choices" role="group" aria-label="Whose widths">
          {(["now", "before"] as const).map((value) => (
            <button type="button" class="choice" key={value} aria-pressed={direction.value === value} onClick={() => (direction.value = value)}>
              {value === "now" ? "Widths now" : "Widths before"}
            </button>
          ))}
        </div>
      )}
      {one.operations.length > 0 && <Chooser title="Operation" every="all operations" chosen={operation} options={[...one.operations.map((name, at): [number, string] => [at + 1, name]), [0, "outside operations"]]} />}
      {!compared && one.threads.length > 1 && <Chooser title="Thread" every="all threads" chosen={thread} options={one.threads.map((_, at): [number, string] => [at, threadName(one, at)])} />}
      <button type="button" class="choice" aria-pressed={inverted.value} onClick={() => (inverted.value = !inverted.value)} title="Callers below callees (I)">Invert</button>
      <label class="search">
        <span class="spoken">Search functions and files</span>
        <input
          type="search" id="search" placeholder="Search functions and files   /" value={search.value}
          onInput={(event) => (search.value = event.currentTarget.value)}
        />
        <output aria-live="polite">{search.value.trim() ? `${found.frames} frames, ${share(found.share)}` : ""}</output>
      </label>
    </div>
  );
}

function Chooser({ title, every, chosen, options }: { title: string; every: string; chosen: Signal<number | null>; options: [number, string][] }) {
  return (
    <select
      aria-label={`${title} that the page is narrowed to`} class={chosen.value === null ? "chooser" : "chooser chosen"} value={chosen.value ?? ""}
      onChange={(event) => (chosen.value = event.currentTarget.value === "" ? null : Number(event.currentTarget.value))}
    >
      <option value="">{every}</option>
      {options.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
    </select>
  );
}

function Way({ to, onZoom }: { to: Frame; onZoom: (frame: Frame) => void }) {
  const way: Frame[] = [];
  for (let at: Frame | null = to; at; at = at.parent) way.unshift(at);
  const shown = way.length > 6 ? [way[0], ...way.slice(-5)] : way;
  return (
    <nav class="way" aria-label="Zoomed into">
      {shown.map((one, at) => (
        <span key={one.depth}>
          {at > 0 && <i aria-hidden="true">{at === 1 && way.length > 6 ? "› … ›" : "›"}</i>}
          <button type="button" disabled={one === to} onClick={() => onZoom(one)}>{one.depth === 0 ? "all" : short(one.name)}</button>
        </span>
      ))}
    </nav>
  );
}

const kindsOfCode = ["Python", "native", "kernel"];

function Legend({ memory, view: one }: { memory: boolean; view: View }) {
  const unknown = memory && operation.value !== null ? withoutOperation(one, filter.value) : null;
  const present = sums.value?.byCategory;
  const kinds = useMemo(() => new Set(one.functions.map((row) => row[1])), [one]);
  if (compared) {
    return (
      <ul class="legend">
        <li><b class="swatch more" />more than before</li><li><b class="swatch less" />less than before</li><li><b class="swatch same" />about the same</li>
        <li class="muted">colour: change relative to the larger side</li>
      </ul>
    );
  }
  return (
    <ul class="legend">
      {kindsOfCode.map((kind, at) => (kinds.has(at) ? <li key={kind}><b class={`swatch ${kind.toLowerCase()}`} />{kind}</li> : null))}
      {kinds.size > 0 && <li><b class="swatch library" />paler: library code</li>}
      {!memory && present && present.some((value, at) => at > 0 && value > 0) && <li>[waits]:</li>}
      {!memory && present && categories.map((kind, at) => (at > 0 && present[at] > 0 ? <li key={kind.key}><b class="swatch" style={{ background: kind.colour }} />{kind.label}</li> : null))}
      {!memory && one.native.length > 0 && <li><b class="swatch dashed" />underlined: native code below Python, placed by estimate</li>}
      {unknown !== null && <li class="muted">Operations of allocations are told from their calling context; of {share(unknown)} of the bytes it can't be told, and they are left out.</li>}
    </ul>
  );
}

const shownAtFirst = 10, most = 200;

function Functions({ list, whole, size }: { list: ReturnType<typeof functions>; whole: number; size: (value: number) => string }) {
  const [every, setEvery] = useState(false);
  const rows = list.filter((row) => row.self > 0 || (compared && row.before > 0)).slice(0, every ? most : shownAtFirst);
  return (
    <details class="functions" open>
      <summary>Functions by what they take themselves</summary>
      <div class="scroll"><table>
        <thead><tr><th>function or wait</th><th class="wide">itself</th><th>with callees</th>{compared && <th>itself before</th>}<th>place</th></tr></thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.kind}${row.name}`}>
              <td><button type="button" class="link" title="Search the flame graph for it" onClick={() => (search.value = row.name)}>{row.kind === wait ? row.name : short(row.name, 3)}</button></td>
              <td class="wide"><Bar value={row.self / whole} colour={row.category >= 0 ? categories[row.category].colour : "var(--accent)"} /> {size(row.self)} <em>{share(row.self / whole)}</em></td>
              <td>{size(row.total)}</td>
              {compared && <td>{size(row.before)}</td>}
              <td class="muted">{fileName(row.file)}{row.line ? `:${row.line}` : ""}</td>
            </tr>
          ))}
        </tbody>
      </table></div>
      {rows.length >= shownAtFirst && list.length > shownAtFirst && <button type="button" class="link unfold" onClick={() => setEvery(!every)}>{every ? "fewer" : `all ${list.length} functions and waits`}</button>}
    </details>
  );
}
