// Packed columns to typed arrays; the browser inflates (report/packing.py packs).
import type { Column, Header, View } from "./model";

const types = {
  u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array, i4: Int32Array, f8: Float64Array,
};
const alignment = 8;

interface Described {
  rows: number;
  columns: Record<string, { type: keyof typeof types; at: number }>;
}

export async function decode(text: string): Promise<View> {
  const inflated = new Blob([bytes(text.trim())]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const buffer = await new Response(inflated).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))) as Header & { tables: Record<string, Described> };
  const start = Math.ceil((4 + length) / alignment) * alignment;
  const { tables, ...rest } = header;
  const found: Record<string, unknown> = { ...rest };
  for (const [name, table] of Object.entries(tables)) {
    const columns: Record<string, Column | number> = { rows: table.rows };
    for (const [column, { type, at }] of Object.entries(table.columns)) {
      columns[column] = new types[type](buffer, start + at, table.rows);
    }
    found[name === "tags" ? "tagged" : name] = columns;
  }
  return found as unknown as View;
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  const raw = atob(text);
  const found = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) found[at] = raw.charCodeAt(at);
  return found;
}
