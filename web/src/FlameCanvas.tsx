// The flame graph itself: one canvas, so that twenty thousand frames zoom smoothly; keyboard and a spoken frame beside it.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Frame, wait } from "./calls";
import { changeFill, fill, inkOn } from "./flame_colours";
import { fileName, share } from "./format";

const rowHeight = 20, narrowest = 0.4, textFrom = 26;
const tooThin = 500; // of the width: what is thinner makes the picture no taller; it is there when zoomed into

export interface Drawn {
  root: Frame;
  deepest: number;
  zoomed: Frame;
  searching: boolean;
  comparing: boolean;
  ofBefore: boolean;
  dark: boolean;
  size: (value: number) => string;
  onZoom: (to: Frame) => void;
}

export function FlameCanvas(given: Drawn) {
  const { root, zoomed, size, onZoom } = given;
  const holder = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [hovered, setHovered] = useState<{ frame: Frame; x: number; y: number } | null>(null);
  const [focused, setFocused] = useState<Frame | null>(null);
  const rows = Math.max(deepestBelow(zoomed, given.ofBefore) + 1, 6);
  const range = useAnimatedRange(zoomed.x, zoomed.x + zoomed.width);
  const visible = useMemo(() => byRow(root, given.deepest, zoomed), [root, given.deepest, zoomed, given.ofBefore]);

  useEffect(() => {
    const watch = new ResizeObserver(() => holder.current && setWidth(holder.current.clientWidth));
    watch.observe(holder.current!);
    return () => watch.disconnect();
  }, []);
  useEffect(() => setFocused(null), [root]);
  useEffect(() => {
    if (width > 0) paint(canvas.current!, visible, width, rows, range, { ...given, hovered: hovered?.frame ?? null, focused });
  });

  const frameAt = (event: MouseEvent): Frame | null => {
    const box = canvas.current!.getBoundingClientRect();
    const at = range[0] + ((event.clientX - box.left) / box.width) * (range[1] - range[0]);
    const row = visible[Math.floor((event.clientY - box.top) / rowHeight)] ?? [];
    return row.find((one) => one.x <= at && at < one.x + one.width) ?? null;
  };
  const onKey = (event: KeyboardEvent) => {
    const from = focused ?? zoomed;
    const beside = (step: number) => {
      const all = (from.parent?.sorted ?? []).filter((one) => one.width > 0);
      return all[all.indexOf(from) + step] ?? from;
    };
    const next: Record<string, () => Frame | null> = {
      ArrowDown: () => from.sorted.find((one) => one.width > 0) ?? from,
      ArrowUp: () => from.parent ?? from,
      ArrowLeft: () => beside(-1),
      ArrowRight: () => beside(1),
    };
    if (event.key in next) setFocused(next[event.key]());
    else if (event.key === "Enter") onZoom(from);
    else if (event.key === "Backspace") onZoom(zoomed.parent ?? root);
    else return;
    event.preventDefault();
  };
  const spoken = focused ? sentence(focused, root, given) : "";
  return (
    <div class="flame" ref={holder}>
      <canvas
        ref={canvas} tabIndex={0} role="application" aria-label="Flame graph: arrow keys move, Enter zooms in, Backspace zooms out"
        style={{ height: `${rows * rowHeight}px` }}
        onMouseMove={(event) => { const found = frameAt(event); setHovered(found && { frame: found, x: event.clientX, y: event.clientY }); }}
        onMouseLeave={() => setHovered(null)}
        onClick={(event) => { const found = frameAt(event); if (found) onZoom(found); }}
        onKeyDown={onKey}
      />
      <p class="spoken" aria-live="polite">{spoken}</p>
      {hovered && <Tip {...hovered} root={root} given={given} size={size} />}
    </div>
  );
}

function sentence(one: Frame, root: Frame, given: Drawn): string {
  const part = given.ofBefore ? one.before / root.before : one.total / root.total;
  return `${one.name}: ${given.size(given.ofBefore ? one.before : one.total)}, ${share(part)}`;
}

function Tip({ frame, x, y, root, given, size }: { frame: Frame; x: number; y: number; root: Frame; given: Drawn; size: (value: number) => string }) {
  const right = x > innerWidth / 2, below = y > innerHeight * 0.65;
  const style = {
    [right ? "right" : "left"]: `${(right ? innerWidth - x : x) + 14}px`, [below ? "bottom" : "top"]: `${(below ? innerHeight - y : y) + 14}px`,
  };
  return (
    <div class="tip" style={style} role="presentation">
      <strong>{frame.name}</strong>
      {frame.kind < wait && <span class="muted">{fileName(frame.file)}{frame.line ? `:${frame.line}` : ""}</span>}
      <dl>
        <dt>total</dt><dd>{size(frame.total)} <em>{share(frame.total / root.total)}</em></dd>
        {frame.kind < wait && <><dt>itself</dt><dd>{size(frame.self)} <em>{share(frame.self / root.total)}</em></dd></>}
        {given.comparing && <><dt>before</dt><dd>{size(frame.before)} <em>{change(frame)}</em></dd></>}
      </dl>
      {frame.estimated && <span class="muted">native code below Python, placed by perf's samples near looks</span>}
    </div>
  );
}

function change(one: Frame): string {
  if (one.before === 0) return "new";
  if (one.total === 0) return "gone";
  const ratio = one.total / one.before;
  return `${ratio >= 1 ? "+" : "−"}${share(Math.abs(ratio - 1))}`;
}

/** Rows of frames as drawn: the way from the root to the zoomed frame, then what is below it. */
function byRow(root: Frame, deepest: number, zoomed: Frame): Frame[][] {
  const rows: Frame[][] = Array.from({ length: deepest + 1 }, () => []);
  for (let one: Frame | null = zoomed.parent; one; one = one.parent) rows[one.depth].push(one);
  const pending = [zoomed];
  for (let one = pending.pop(); one; one = pending.pop()) {
    if (one.width <= 0) continue;
    rows[one.depth]?.push(one);
    for (const below of one.sorted) pending.push(below);
  }
  return root.width > 0 ? rows : [];
}

function deepestBelow(zoomed: Frame, ofBefore: boolean): number {
  let deepest = zoomed.depth;
  const pending = [zoomed];
  for (let one = pending.pop(); one; one = pending.pop()) {
    if ((ofBefore ? one.before : one.total) <= 0 || one.width < zoomed.width / tooThin) continue;
    deepest = Math.max(deepest, one.depth);
    pending.push(...one.sorted);
  }
  return deepest;
}

function useAnimatedRange(from: number, to: number): [number, number] {
  const [range, setRange] = useState<[number, number]>([from, to]);
  const last = useRef(range);
  last.current = range;
  useEffect(() => {
    const begin = last.current, start = performance.now();
    const length = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 160;
    let frame = 0;
    const step = (now: number) => {
      const done = length === 0 ? 1 : Math.min(1, (now - start) / length);
      const eased = 1 - (1 - done) ** 3;
      setRange([begin[0] + (from - begin[0]) * eased, begin[1] + (to - begin[1]) * eased]);
      if (done < 1) frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [from, to]);
  return range;
}

interface Look extends Drawn {
  hovered: Frame | null;
  focused: Frame | null;
}

function paint(canvas: HTMLCanvasElement, rows: Frame[][], width: number, height: number, range: [number, number], look: Look): void {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * rowHeight * ratio);
  const pen = canvas.getContext("2d")!;
  pen.scale(ratio, ratio);
  pen.font = "12px ui-sans-serif, system-ui, sans-serif";
  pen.textBaseline = "middle";
  const scale = width / Math.max(range[1] - range[0], 1e-12);
  const background = getComputedStyle(canvas).getPropertyValue("--surface");
  for (let row = 0; row < Math.min(rows.length, height); row++) {
    for (const one of rows[row]) {
      const left = Math.max(0, (one.x - range[0]) * scale), right = Math.min(width, (one.x + one.width - range[0]) * scale);
      if (right - left < narrowest) continue;
      drawFrame(pen, one, left, row * rowHeight, right - left, look, background);
    }
  }
}

function drawFrame(pen: CanvasRenderingContext2D, one: Frame, x: number, y: number, width: number, look: Look, background: string): void {
  const colour = look.comparing ? changeFill(one, look.dark) : fill(one, look.dark);
  const above = one.depth < look.zoomed.depth;
  pen.globalAlpha = look.searching && !one.matches ? 0.22 : above ? 0.55 : 1;
  pen.fillStyle = colour;
  const gap = width > 3 ? 1 : 0;
  pen.beginPath();
  pen.roundRect(x, y + 1, Math.max(width - gap, narrowest), rowHeight - 2, width > 6 ? 3 : 0);
  pen.fill();
  if (one.estimated && width > 8) hatch(pen, x, y, width, background);
  if (one === look.focused || one === look.hovered) {
    pen.globalAlpha = 1;
    pen.lineWidth = 2;
    pen.strokeStyle = look.dark ? "#ffffff" : "#14171f";
    pen.strokeRect(x + 1, y + 2, Math.max(width - gap - 2, 1), rowHeight - 4);
  }
  if (look.searching && one.matches) {
    pen.lineWidth = 2;
    pen.strokeStyle = look.dark ? "#ffffff" : "#14171f";
    pen.strokeRect(x + 1, y + 2, Math.max(width - gap - 2, 1), rowHeight - 4);
  }
  if (width > textFrom) {
    pen.save();
    pen.beginPath();
    pen.rect(x, y, width - 4, rowHeight);
    pen.clip();
    if (above) pen.globalAlpha = 1;
    pen.fillStyle = above ? (look.dark ? "#e8ebf1" : "#161a22") : inkOn(colour);
    pen.fillText(fitting(pen, one.name, width - 8), x + 5, y + rowHeight / 2 + 0.5);
    pen.restore();
  }
  pen.globalAlpha = 1;
}

/** A line under frames that are placed by estimate. */
function hatch(pen: CanvasRenderingContext2D, x: number, y: number, width: number, background: string): void {
  pen.save();
  pen.strokeStyle = background;
  pen.lineWidth = 1.5;
  pen.setLineDash([3, 3]);
  pen.beginPath();
  pen.moveTo(x + 2, y + rowHeight - 3);
  pen.lineTo(x + width - 3, y + rowHeight - 3);
  pen.stroke();
  pen.restore();
}

/** The end of a dotted name says most; what does not fit is left out at its front. */
function fitting(pen: CanvasRenderingContext2D, name: string, width: number): string {
  if (pen.measureText(name).width <= width) return name;
  if (name.startsWith("/")) return name.slice(name.lastIndexOf("/") + 1);
  const parts = name.startsWith("[") || name.includes("(") ? [] : name.split(".");
  for (let at = 1; at < parts.length; at++) {
    const rest = parts.slice(at).join(".");
    if (pen.measureText(rest).width <= width) return rest;
  }
  return parts.length ? parts[parts.length - 1] : name;
}
