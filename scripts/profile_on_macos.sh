#!/usr/bin/env bash
# Runs the tools of macOS on one process, one after the other, and makes a recording of what they print.
#   ./scripts/profile_on_macos.sh SECONDS PID NAME       (profile_storageimpl.sh calls it on a Mac)
# Files are as the tools print them. dtrace needs root: it is run where `sudo -n` works, else its command is shown.
# A trace for Instruments is made last (STOREPROF_TRACE= names another template; none: no trace), and opened where
# STOREPROF_OPEN is set.
set -uo pipefail
if [ $# -ne 3 ]; then sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2; fi
seconds=$1 pid=$2 name=$3
stamp=$(date +%Y%m%d_%H%M%S)
out=storeprof-runs/$(date +%Y%m%d-%H%M%S)-$name
[ ! -e "$out" ] || out=$out-$$
raw=storeprof-runs/.macos-$stamp-$pid
mkdir -p "$raw" || exit 2
say() { echo "profile: $*" >&2; }

# What fails is said and left out: one tool's failure costs nothing but its own file.
keep() {
    local file=$1
    shift
    if ! command -v "$1" >/dev/null 2>&1; then say "$1 is not installed (xcode-select --install)" && return; fi
    "$@" >"$file" 2>"$file.said" || say "$1 failed: $(tail -n 1 "$file.said")"
    if [ -s "$file" ]; then rm -f "$file.said"; else rm -f "$file"; fi
}

say "$seconds s of CPU samples of $name ($pid), then its memory"
started=$(date +%s)
keep "$raw/sample_profile_$stamp.txt" sample "$pid" "$seconds" 1 -mayDie -fullPaths -file /dev/stdout
keep "$raw/vmmap_analysis_$stamp.txt" vmmap -w "$pid"
keep "$raw/heap_analysis_$stamp.txt" heap -s "$pid"
keep "$raw/leaks_$stamp.txt" leaks "$pid"
# It has something to say of programs that were started with MallocStackLogging=1 only, which slows them down.
keep "$raw/malloc_history_$stamp.txt" malloc_history "$pid" -allBySize
entries='pid$target:'$name'::entry { @[probefunc] = count(); } tick-5s { exit(0); }'
if sudo -n true 2>/dev/null; then
    keep "$raw/dtrace_$stamp.txt" sudo -n dtrace -q -n "$entries" -p "$pid"
else
    say "dtrace needs root: sudo dtrace -q -n '$entries' -p $pid > dtrace_$stamp.txt"
fi
{
    echo "# storeprof: tools of macOS, on $name ($pid), from $started on for $(($(date +%s) - started)) s"
    ps -o pid,%cpu,rss,time,command -p "$pid" 2>/dev/null
} >"$raw/performance_test_$stamp.log"

# For people: what it samples is what sample has sampled already, so it is not read into the recording a second time.
template=${STOREPROF_TRACE-Time Profiler}
trace=$raw/instruments_$stamp.trace
if [ -n "$template" ] && [ "$template" != none ]; then
    say "$seconds s of Instruments' $template"
    keep "$raw/xctrace_$stamp.said" xctrace record --template "$template" --attach "$pid" --time-limit "${seconds}s" \
        --output "$trace" --no-prompt
    rm -f "$raw/xctrace_$stamp.said"*
fi

found=("$raw"/*_"$stamp".txt)
if [ ! -e "${found[0]}" ]; then say "no tool said anything; is $pid still running, and is it yours?" && exit 1; fi
.venv/bin/storeprof import "${found[@]}" --out "$out" || exit 1
# Under the names of the strategy: the first line says which tool filled the rest.
for file in "${found[@]}"; do
    tool=$(basename "$file" | sed 's/_.*//')
    { echo "# storeprof: $tool (macOS) of $name ($pid)" && cat "$file"; } >"$out/$(basename "$file")"
done
mv "$raw/performance_test_$stamp.log" "$out/"
if [ -e "$trace" ]; then
    mv "$trace" "$out/"
    trace=$out/$(basename "$trace")
    if [ -n "${STOREPROF_OPEN:-}" ]; then open -a Instruments "$trace"; else say "open -a Instruments $trace"; fi
fi
rm -rf "$raw"
echo "recording: $out" >&2
