// The keys of the page.
import { useEffect, useRef } from "preact/hooks";
import { helpShown } from "./state";

const keys: [string, string][] = [
  ["/", "search functions and files"], ["Esc", "clear the selection, the search, or this help"], ["1 … 9, 0", "go to a section"],
  ["I", "invert the flame graph"], ["W, C, O", "all busy time, on CPU, off CPU"], ["T", "light or dark"],
  ["← ↑ → ↓", "in the flame graph: move; Enter zooms in, Backspace out"], ["← →", "in a chart over time: move the span, with Shift widen it"],
  ["?", "this help"],
];

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (helpShown.value) dialog.current?.showModal();
    else dialog.current?.close();
  }, [helpShown.value]);
  return (
    <dialog ref={dialog} onClose={() => (helpShown.value = false)} aria-label="Keys">
      <h2>Keys</h2>
      <dl>{keys.map(([key, words]) => <div key={key + words}><dt><kbd>{key}</kbd></dt><dd>{words}</dd></div>)}</dl>
      <p class="muted">Drag in any chart over time to narrow the page to a span; click an operation or a thread to narrow it to that.</p>
      <button type="button" onClick={() => (helpShown.value = false)}>Close</button>
    </dialog>
  );
}
