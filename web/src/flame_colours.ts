// Colours of frames: the kind of code by hue, functions of one kind apart by lightness; waits by their category.
import { categories } from "./categories";
import { type Frame, all, resource, wait } from "./calls";

// Code is pale and waits are vivid, so that a wait is seen at once, whatever its hue.
const hues: Record<number, [hue: number, saturation: number]> = { 0: [30, 82], 1: [205, 62], 2: [275, 38] };

function hash(text: string): number {
  let value = 2166136261;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 16777619);
  return (value >>> 0) / 2 ** 32;
}

export function fill(one: Frame, dark: boolean): string {
  if (one.kind === all) return dark ? "#2b3340" : "#dfe3ea";
  if (one.kind === wait || one.kind === resource) return one.category >= 0 ? categories[one.category].colour : dark ? "#4a5261" : "#c6ccd6";
  const [hue, saturation] = hues[one.kind] ?? hues[1];
  const vary = hash(one.name);
  const light = one.library ? (dark ? 29 : 90) : dark ? 38 : 80;
  const strength = saturation * (one.library ? 0.4 : 1) * (dark ? 0.5 : 1);
  return `hsl(${Math.round(hue + (vary - 0.5) * 14)} ${Math.round(strength)}% ${Math.round(light + (vary - 0.5) * 7)}%)`;
}

/** Orange: more than before; blue: less; grey: the same. The deeper, the larger the change relative to the larger side. */
export function changeFill(one: Frame, dark: boolean): string {
  if (one.kind === all) return dark ? "#2b3340" : "#dfe3ea";
  const larger = Math.max(one.total, one.before);
  const change = larger > 0 ? (one.total - one.before) / larger : 0;
  const strength = Math.sqrt(Math.min(1, Math.abs(change)));
  const [hue, saturation] = change > 0 ? [24, 90] : [212, 75];
  const light = dark ? 34 + 22 * strength : 90 - 34 * strength;
  return `hsl(${hue} ${Math.round(saturation * strength)}% ${Math.round(light)}%)`;
}

/** Black or white, whichever stands out more (WCAG 2: one of them always does by 4.5 to 1 and more). */
export function inkOn(background: string): string {
  const [r, g, b] = rgb(background).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.1791 ? "#000000" : "#ffffff";
}

const known = new Map<string, [number, number, number]>();
function rgb(colour: string): [number, number, number] {
  let found = known.get(colour);
  if (!found) {
    found = colour.startsWith("#") ? ([1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) as [number, number, number]) : fromHsl(colour);
    known.set(colour, found);
  }
  return found;
}

function fromHsl(colour: string): [number, number, number] {
  const [h, s, l] = colour.match(/[\d.]+/g)!.map(Number);
  const chroma = (1 - Math.abs((2 * l) / 100 - 1)) * (s / 100);
  const channel = (shift: number) => {
    const at = (shift + h / 30) % 12;
    return 255 * (l / 100 - (chroma / 2) * Math.max(-1, Math.min(at - 3, 9 - at, 1)));
  };
  return [channel(0), channel(8), channel(4)];
}
