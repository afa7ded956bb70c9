"""The visible list of export formats: who reads each, how its files are named, and how it is made."""

from __future__ import annotations

from collections.abc import Callable

from storeprof.exports.busy_time import BusyTime
from storeprof.exports.chrome_trace import chrome_trace
from storeprof.exports.collapsed import collapsed
from storeprof.exports.perfetto import perfetto
from storeprof.exports.pprof import pprof
from storeprof.exports.speedscope import speedscope

STACK_FORMATS: dict[str, Callable[[BusyTime], bytes]] = {
    "speedscope": speedscope,
    "chrome": chrome_trace,
    "perfetto": perfetto,
    "pprof": pprof,
    "collapsed": collapsed,
}
FORMATS = (*STACK_FORMATS, "markdown")
