// The page: verdict and findings at once, from plain JSON; the rest when its columns have been unpacked.
import { options, render } from "preact";
import type { ComponentChildren } from "preact";
import { Changes } from "./Compare";
import { Coverage } from "./Coverage";
import { Findings } from "./Findings";
import { Flame } from "./Flame";
import { Selection, TopBar, Verdict, sections } from "./Head";
import { Help } from "./Help";
import { Latency, Operations, Tails } from "./Latency";
import { DiskBytes, Memory } from "./Memory";
import { Scope } from "./Scope";
import { Threads } from "./Threads";
import { Throughput } from "./Throughput";
import { Timeline } from "./Timeline";
import { Files, Locks } from "./Waits";
import { decode } from "./decode";
import { clearSelection, compared, dark, data, failed, helpShown, inverted, mode, others, printing, search, theme, views } from "./state";
import "uplot/dist/uPlot.min.css";
import "./page.css";

function Section({ id, title, about, scope, children }: { id: string; title: string; about?: string; scope?: ComponentChildren; children: ComponentChildren }) {
  return (
    <section id={id} aria-labelledby={`${id}-title`} class="panel">
      <h2 id={`${id}-title`}>{title}{scope}</h2>
      {about && <p class="about">{about}</p>}
      {children}
    </section>
  );
}

function Page() {
  const document = data.sides.shown.document;
  return (
    <>
      <TopBar />
      <main>
        <Verdict document={document} />
        {failed.value && <p class="failed" role="alert">The details can't be shown: {failed.value}</p>}
        {compared && <Section id="changes" title="What changed"><Changes /></Section>}
        <Section id="findings" title="Findings" scope={<Scope />}><Findings list={document.findings} unsure={document.verdict === "inconclusive"} /></Section>
        <Section id="time" title="Busy time over the run" about="Threads busy at once, by what they did. Drag to select a span: everything below follows."><Timeline /></Section>
        <Selection />
        <Section id="flame" title={compared ? "Flame graph of the difference" : "Flame graph"} scope={<Scope span operation thread={!compared} />}><Flame /></Section>
        <Section id="operations" title="Operations" scope={<Scope span operation what="rates and latencies" />}><Operations /><h3>Operations per second</h3><Throughput /></Section>
        <Section id="latency" title="Latency over time" scope={<Scope span operation />}><Latency /><Tails operations={document.operations} /></Section>
        <Section id="threads" title="What threads waited for" about="One lane a thread; its height is a thread's whole time. Drag to select a span."><Threads /></Section>
        <Section id="locks" title="Locks" about="Who waits, and what the others did meanwhile." scope={<Scope span what="who was at work meanwhile" />}><Locks /></Section>
        <Section id="files" title="Files and the disk" about="Time that threads waited for files."><Files /><h3>Bytes moved by the block layer<Scope span /></h3><DiskBytes /></Section>
        <Section id="memory" title="Memory" scope={<Scope span />}><Memory /></Section>
        <Section id="coverage" title="What was looked at, and what was not" scope={<Scope />}><Coverage document={document} /></Section>
      </main>
      <Help />
    </>
  );
}

function onKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  const typing = target.matches("input, select, textarea");
  if (event.key === "Escape" && !helpShown.value) {
    if (search.value) search.value = "";
    else clearSelection();
    if (typing) target.blur();
    return;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys: Record<string, () => void> = {
    "/": () => document.getElementById("search")?.focus(),
    "?": () => (helpShown.value = true),
    i: () => (inverted.value = !inverted.value),
    t: () => (theme.value = dark.value ? "light" : "dark"),
    w: () => (mode.value = "wall"),
    c: () => (mode.value = "cpu"),
    o: () => (mode.value = "off"),
  };
  const section = sections["1234567890".indexOf(event.key)];
  if (section && event.key.length === 1) document.getElementById(section[0])?.scrollIntoView({ behavior: "smooth" });
  else if (event.key in keys) {
    keys[event.key]();
    event.preventDefault();
  }
}

async function unpack(): Promise<void> {
  const read = (side: string, names: string[]) => Promise.all(names.map((_, at) => decode(document.getElementById(`${side}-${at}`)!.textContent!)));
  try {
    views.value = await read("shown", data.sides.shown.views);
    if (data.sides.against) others.value = await read("against", data.sides.against.views);
  } catch (error) {
    failed.value = `${error instanceof Error ? error.message : error}. A browser of 2023 or later is needed.`;
  }
}

/** Printed light and with every finding open; all is drawn at once, for a browser prints what is there after the event. */
function onPrint(): void {
  const closed = [...document.querySelectorAll<HTMLDetailsElement>("details:not([open])")];
  const { debounceRendering, requestAnimationFrame: later } = options;
  options.debounceRendering = options.requestAnimationFrame = (draw) => draw();
  printing.value = true;
  options.debounceRendering = debounceRendering;
  options.requestAnimationFrame = later;
  closed.forEach((one) => (one.open = true));
  addEventListener("afterprint", () => {
    printing.value = false;
    closed.forEach((one) => (one.open = false));
  }, { once: true });
}

addEventListener("keydown", onKey);
addEventListener("beforeprint", onPrint);
render(<Page />, document.getElementById("page")!);
performance.mark("painted");
requestAnimationFrame(() => void unpack());
