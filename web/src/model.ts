// What the page is given (docs/formats/page.md): documents as JSON, views as packed columns.

export type Column = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float64Array;

export interface Table {
  rows: number;
  [column: string]: Column | number;
}

export type FunctionRow = [name: string, kind: number, file: string | null, line: number | null, library: number, binary: string | null];

export interface Native {
  function: number;
  paths: [share: number, functions: number[]][];
}

export interface Awaited {
  kind: string | null;
  name: string | null;
  call: string | null;
}

export interface Header {
  format: number;
  folder: string;
  duration_s: number;
  bins: number;
  bin_ns: number;
  unit_ns: number;
  unit_bytes: number;
  categories: string[];
  operations: string[];
  threads: { name: string | null; tid: number | null; pid: number | null }[];
  processes: { pid: number; name: string | null }[];
  functions: FunctionRow[];
  native: Native[];
  waits: Awaited[];
  locks: { name: string; kind: string }[];
  tags: string[];
  buckets_ns: [low: number, high: number][];
  tail_parts: { operation: number; component: string; function: string | null; resource: string | null }[]; // the first is the rest
  tail_spread_ns: number[]; // by operation (from 0): how far lengths may be off by what looking added
  folded_share: number;
  unhosted_s: number; // CPU time of native code inside operations that no stack gives to one
}

export interface View extends Header {
  nodes: { parent: Column; function: Column; rows: number };
  wall: { thread: Column; operation: Column; category: Column; wait: Column; node: Column; bin: Column; weight: Column; rows: number };
  presence: { permille: Column; rows: number };
  waiters: { lock: Column; thread: Column; operation: Column; function: Column; bin: Column; weight: Column; rows: number };
  holders: { lock: Column; function: Column; bin: Column; weight: Column; rows: number };
  holding: { lock: Column; thread: Column; bin: Column; weight: Column; rows: number };
  done: { operation: Column; from_ms: Column; to_ms: Column; count: Column; total_us: Column; rows: number };
  latency: { operation: Column; from_ms: Column; to_ms: Column; bucket: Column; count: Column; rows: number };
  tails: { operation: Column; part: Column; bin: Column; took: Column; number: Column; weight: Column; rows: number };
  memory: { process: Column; kind: Column; bin: Column; bytes: Column; rows: number };
  tagged: { tag: Column; bin: Column; bytes: Column; rows: number };
  /** `thread` and `operation`: 1 + number, 0 not known. */
  allocations: { node: Column; born: Column; died: Column; thread: Column; operation: Column; weight: Column; rows: number };
}

export interface Place {
  function: string | null;
  file: string | null;
  line: number | null;
}

export interface Shared extends Place {
  share: number;
}

export interface Finding {
  id: string;
  same: string; // equal for findings of two recordings that are the same one
  kind: string;
  severity: "bottleneck" | "hotspot" | "notice";
  where: Place & { operation: string | null; resource: string | null };
  share: number | null;
  share_ci: [number, number] | null;
  share_of: string;
  lines: Shared[];
  call_paths: { frames: Place[]; share: number }[];
  holders: Shared[];
  per_operation: { count: number | null; unit: string | null; seconds: number | null } | null;
  rate_bytes_per_s: number | null;
  rate_ci: [number, number] | null;
  impact: { speedup_if_fixed: number; ci: [number, number]; basis: string; method: string };
  effort: string;
  evidence: string[];
  recommendation: string;
  verify: string;
  runs?: { found: number; of: number; holds: string; workload: string | null };
}

export interface Latency {
  p50: number | null;
  p95: number | null;
  p99: number | null;
  p999?: number | null;
  max: number | null;
}

export interface Operation {
  name: string;
  count: number | null;
  throughput_per_s: number | null;
  latency_s: Latency;
  wall_time: Record<string, number>;
  tail?: { p99_minus_p50_s: number | null; causes: Cause[]; unexplained_share?: number } | null;
  mean?: { total_s: number; parts: Cause[]; unexplained_share?: number } | null;
}

export interface Cause {
  component: string;
  resource: string | null;
  function?: string | null;
  share: number;
  ci: [number, number] | null;
  seconds?: number;
  beside?: (string | null)[];
}

export interface Document {
  verdict: "bottleneck" | "no-bottleneck" | "inconclusive";
  summary: string;
  recording: string;
  duration_s: number;
  recorded: {
    command: string[] | null;
    attached_pid: number | null;
    engine: string | null;
    workload: string | null;
    threads: number | null;
    started_at: string | null;
    storeprof: string | null;
    exit_status: number | null;
    machine: Record<string, unknown> | null;
  };
  overhead: Record<string, unknown> & { observer_percent?: number | null; floor_percent?: number | null };
  metrics: {
    throughput_per_s: number | null;
    throughput_ci: [number, number] | null;
    latency_s: Latency;
    cpu_percent: number | null;
    rss_peak_bytes: number | null;
    rss_mean_bytes: number | null;
    read_bytes: number | null;
    written_bytes: number | null;
  };
  wall_time: Record<string, number>;
  operations: Operation[];
  findings: Finding[];
  imported?: { file: string; format: string; figures: Record<string, unknown>; cut_short: string | null }[] | null;
  coverage: { kind: string; checked: boolean; by: string | null; reason: string | null; remedy: string | null }[];
  runs?: { recording: string; workload: string | null; verdict: string; summary: string; duration_s: number; throughput_per_s: number | null }[];
}

export interface Side {
  document: Document;
  views: string[];
}

export interface PageData {
  storeprof: string;
  sides: { shown: Side; against?: Side };
}
