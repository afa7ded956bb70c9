// The tree that the flame graph draws: contexts merged by function, waits as leaves, native code below Python.
import { cpu, label, onCpu } from "./categories";
import type { View } from "./model";
import type { Filter } from "./narrow";
import type { Mode } from "./state";

export const wait = 3, all = 4, resource = 5; // kinds of frames beside 0 Python, 1 native, 2 kernel

export interface Frame {
  name: string;
  kind: number;
  library: boolean;
  file: string | null;
  line: number | null;
  category: number; // of a wait, else -1
  estimated: boolean; // placed by samples near looks, not seen on this very stack
  self: number;
  total: number;
  before: number; // total of the other recording, in the units of this one
  selfBefore: number;
  parent: Frame | null;
  children: Map<string, Frame>;
  sorted: Frame[];
  depth: number;
  x: number; // 0 to 1 of the root
  width: number;
  matches: boolean;
}

function frame(name: string, kind: number, parent: Frame | null): Frame {
  return {
    name, kind, parent, library: false, file: null, line: null, category: -1, estimated: false, self: 0, total: 0, before: 0,
    selfBefore: 0, children: new Map(), sorted: [], depth: parent ? parent.depth + 1 : 0, x: 0, width: 0, matches: false,
  };
}

function child(parent: Frame, key: string, make: () => Frame): Frame {
  let found = parent.children.get(key);
  if (!found) parent.children.set(key, (found = make()));
  return found;
}

/** The tree of what the filter leaves, in seconds or bytes; `scale` multiplies all of it. */
export function grow(view: View, filter: Filter, mode: Mode, scale = 1): Frame {
  const root = frame("all", all, null);
  const frames: (Frame | undefined)[] = new Array(view.nodes.rows);
  frames[0] = root;
  const of = (node: number): Frame => {
    const path: number[] = [];
    let at = node;
    while (!frames[at]) {
      path.push(at);
      at = view.nodes.parent[at];
    }
    for (let back = path.length - 1; back >= 0; back--) {
      const parent = frames[at]!;
      at = path[back];
      frames[at] = named(view, parent, view.nodes.function[at]);
    }
    return frames[node]!;
  };
  if (mode === "grown" || mode === "allocated") plantAllocations(view, filter, mode, of, scale);
  else plantTime(view, filter, mode, of, scale);
  total(root);
  return root;
}

function named(view: View, parent: Frame, called: number): Frame {
  const [name, kind, file, line, library] = view.functions[called];
  return child(parent, `${kind}${name}`, () => ({ ...frame(name, kind, parent), file, line, library: library === 1 }));
}

function plantTime(view: View, filter: Filter, mode: Mode, of: (node: number) => Frame, scale: number): void {
  const wanted = view.categories.map((_, at) =>
    mode === "wall" || (mode === "cpu" ? onCpu.has(at) : mode === "off" ? !onCpu.has(at) : mode === `reason-${at}`));
  const native = new Map(view.native.map((row) => [row.function, row.paths]));
  const unit = (view.unit_ns / 1e9) * scale;
  const rows = view.wall;
  const onCpuOfNode = new Float64Array(view.nodes.rows);
  for (let at = 0; at < rows.rows; at++) {
    const bin = rows.bin[at];
    const category = rows.category[at];
    if (!wanted[category] || bin < filter.from || bin >= filter.to) continue;
    if (filter.operation !== null && rows.operation[at] !== filter.operation) continue;
    if (filter.thread !== null && rows.thread[at] !== filter.thread) continue;
    const weight = rows.weight[at] * unit;
    if (category === cpu) onCpuOfNode[rows.node[at]] += weight;
    else waiting(view, of(rows.node[at]), category, rows.wait[at]).self += weight;
  }
  for (let node = 0; node < onCpuOfNode.length; node++) {
    const weight = onCpuOfNode[node];
    if (weight <= 0) continue;
    const home = of(node);
    if (node === 0) {
      child(home, "no stack", () => frame("[no stack was seen]", wait, home)).self += weight;
      continue;
    }
    let own = weight;
    for (const [share, path] of native.get(view.nodes.function[node]) ?? []) {
      let at = home;
      for (const called of path) {
        at = named(view, at, called);
        at.estimated = true;
      }
      at.self += share * weight;
      own -= share * weight;
    }
    home.self += Math.max(0, own);
  }
}

/** A wait is two leaves: its kind and system call, and below it the file or lock, where that has a name. */
function waiting(view: View, home: Frame, category: number, awaited: number): Frame {
  const { name, call } = view.waits[awaited] ?? { name: null, call: null };
  const text = `[${label(view.categories[category])}${call ? `: ${call}` : ""}]`;
  const kind = child(home, text, () => ({ ...frame(text, wait, home), category }));
  return name === null ? kind : child(kind, name, () => ({ ...frame(name, resource, kind), category, file: name }));
}

/** Bytes allocated within the span; `grown`: those of them that were still there at its end. */
function plantAllocations(view: View, filter: Filter, mode: Mode, of: (node: number) => Frame, scale: number): void {
  const rows = view.allocations;
  for (let at = 0; at < rows.rows; at++) {
    const born = rows.born[at] - 1, died = rows.died[at] - 1;
    if (born < filter.from || born >= filter.to) continue;
    if (mode === "grown" && died >= 0 && died < filter.to) continue;
    if (filter.operation !== null && rows.operation[at] - 1 !== filter.operation) continue;
    if (filter.thread !== null && rows.thread[at] - 1 !== filter.thread) continue;
    of(rows.node[at]).self += rows.weight[at] * view.unit_bytes * scale;
  }
}

/** Share of the bytes allocated within the span whose operation is not known; null without any. */
export function withoutOperation(view: View, filter: Filter): number | null {
  const rows = view.allocations;
  let unknown = 0, whole = 0;
  for (let at = 0; at < rows.rows; at++) {
    const born = rows.born[at] - 1;
    if (born < filter.from || born >= filter.to || (filter.thread !== null && rows.thread[at] - 1 !== filter.thread)) continue;
    whole += rows.weight[at];
    if (rows.operation[at] === 0) unknown += rows.weight[at];
  }
  return whole > 0 ? unknown / whole : null;
}

/** Totals from the leaves up; children by size. */
function total(root: Frame): void {
  const order: Frame[] = [root];
  for (let at = 0; at < order.length; at++) order.push(...order[at].children.values());
  for (let at = order.length - 1; at >= 0; at--) {
    const one = order[at];
    one.total = one.self;
    one.before = one.selfBefore;
    for (const below of one.children.values()) {
      one.total += below.total;
      one.before += below.before;
    }
    one.sorted = [...one.children.values()];
  }
}

/** The same time seen from the leaves: below each function its callers. */
export function invert(root: Frame): Frame {
  const found = frame("all", all, null);
  const visit = (one: Frame) => {
    if ((one.self > 0 || one.selfBefore > 0) && one !== root) {
      let at = found;
      for (let from: Frame | null = one.kind === resource ? one.parent : one; from && from !== root; from = from.parent) {
        const here: Frame = from, above: Frame = at;
        at = child(above, `${here.kind}${here.name}`, () => ({
          ...frame(here.name, here.kind, above), library: here.library, file: here.file, line: here.line, category: here.category, estimated: here.estimated,
        }));
      }
      at.self += one.self;
      at.selfBefore += one.selfBefore;
    }
    one.children.forEach(visit);
  };
  visit(root);
  total(found);
  return found;
}

/** Two trees as one: `total` is of the first, `before` of the second. */
export function difference(now: Frame, before: Frame): Frame {
  const merge = (into: Frame, from: Frame) => {
    into.selfBefore += from.self;
    from.children.forEach((below, key) => {
      merge(child(into, key, () => ({ ...below, self: 0, selfBefore: 0, parent: into, children: new Map(), sorted: [], depth: into.depth + 1 })), below);
    });
  };
  merge(now, before);
  total(now);
  return now;
}

/** Places every frame on a line from 0 to 1, the widest first; by `before` where `ofBefore`. */
export function lay(root: Frame, ofBefore = false): number {
  const size = (one: Frame) => (ofBefore ? one.before : one.total);
  const whole = size(root);
  root.x = 0;
  root.width = whole > 0 ? 1 : 0;
  let deepest = 0;
  const pending = [root];
  for (let one = pending.pop(); one; one = pending.pop()) {
    let x = one.x;
    one.sorted.sort((a, b) => size(b) - size(a));
    for (const below of one.sorted) {
      below.x = x;
      below.width = whole > 0 ? size(below) / whole : 0;
      x += below.width;
      if (below.width > 0) {
        deepest = Math.max(deepest, below.depth);
        pending.push(below);
      }
    }
  }
  return deepest;
}

/** Marks frames whose name or file holds the text; returns their number and their share, callers above callees once. */
export function find(root: Frame, text: string, ofBefore = false): { frames: number; share: number } {
  const wanted = text.trim().toLowerCase();
  let frames = 0, hit = 0;
  const size = (one: Frame) => (ofBefore ? one.before : one.total);
  const visit = (one: Frame, inside: boolean) => {
    one.matches = wanted !== "" && one.kind !== all && (one.name.toLowerCase().includes(wanted) || (one.file ?? "").toLowerCase().includes(wanted));
    if (one.matches && one.width > 0) {
      frames++;
      if (!inside) hit += size(one);
    }
    for (const below of one.sorted) visit(below, inside || one.matches);
  };
  visit(root, false);
  return { frames, share: size(root) > 0 ? hit / size(root) : 0 };
}

export interface FunctionSum {
  name: string;
  kind: number;
  file: string | null;
  line: number | null;
  self: number;
  total: number;
  before: number;
  category: number;
}

/** Self and total per function, a recursive call counted once; waits of one kind and call count as functions. */
export function functions(root: Frame): FunctionSum[] {
  const found = new Map<string, FunctionSum>();
  const open = new Set<string>();
  const visit = (one: Frame) => {
    if (one.kind === resource) return;
    const key = `${one.kind}${one.name}`;
    const outermost = one.kind !== all && !open.has(key);
    if (one.kind !== all) {
      let entry = found.get(key);
      if (!entry) found.set(key, (entry = { name: one.name, kind: one.kind, file: one.file, line: one.line, self: 0, total: 0, before: 0, category: one.category }));
      for (const own of one.kind === wait ? [one, ...one.children.values()] : [one]) {
        entry.self += own.self;
        entry.before += own.selfBefore;
      }
      if (outermost) {
        entry.total += one.total;
        open.add(key);
      }
    }
    one.children.forEach(visit);
    if (outermost) open.delete(key);
  };
  visit(root);
  return [...found.values()].sort((a, b) => b.self - a.self || b.before - a.before);
}
