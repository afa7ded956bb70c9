// Bars of shares: one value, or parts of a whole.
import { categories, label } from "./categories";
import { inkOn } from "./flame_colours";
import { share } from "./format";

/** A name that may be too long for its place: its end is kept, which tells more than its beginning. */
export function Name({ text }: { text: string }) {
  return <span class="name" title={text}><bdi>{text}</bdi></span>;
}

export function Bar({ value, colour }: { value: number; colour: string }) {
  return <span class="bar" aria-hidden="true"><b style={{ width: `${Math.max(0, Math.min(1, value)) * 100}%`, background: colour }} /></span>;
}

/** Wall time by category as one bar; `of`: what the full width stands for, where not the sum. */
export function Parts({ values, of, named = true }: { values: ArrayLike<number>; of?: number; named?: boolean }) {
  let whole = 0;
  for (let at = 0; at < values.length; at++) whole += values[at];
  const width = of ?? whole;
  const parts = categories.map((one, at) => ({ ...one, value: values[at] ?? 0 })).filter((part) => part.value > 0);
  const words = parts.map((part) => `${part.label} ${share(part.value / whole)}`).join(", ");
  return (
    <span class="parts" role="img" aria-label={words} title={words}>
      {parts.map((part) => (
        <b key={part.key} style={{ width: `${width > 0 ? (part.value / width) * 100 : 0}%`, background: part.colour, color: inkOn(part.colour) }}>
          {named && part.value / (width || 1) > 0.09 ? <i>{share(part.value / whole)}</i> : null}
        </b>
      ))}
    </span>
  );
}

export function Key({ values, spare }: { values: ArrayLike<number>; spare?: boolean }) {
  let whole = 0;
  for (let at = 0; at < values.length; at++) whole += values[at];
  const parts = categories.map((one, at) => ({ ...one, value: values[at] ?? 0 })).filter((part) => part.value > 0.004 * whole);
  return (
    <ul class="legend">
      {parts.sort((a, b) => b.value - a.value).map((part) => (
        <li key={part.key}><b class="swatch" style={{ background: part.colour }} />{label(part.key)} <em>{share(part.value / whole)}</em></li>
      ))}
      {spare && <li><b class="swatch idle" />idle</li>}
    </ul>
  );
}
