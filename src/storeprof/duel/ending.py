"""How a duel ends early: SIGTERM and SIGHUP as Ctrl-C does, and what clears up is not disturbed by any of them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within the block the first of these signals raises KeyboardInterrupt with its number.

    Those that follow are passed over, so that nothing is left half cleared away; nohup's deafness to SIGHUP stays.
    """
    with _handled({number: _interrupt for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN}):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within the block they are passed over: it ends what was asked to end, and is short."""
    with _handled(dict.fromkeys(_ENDING, _pass_over)):
        yield


def _interrupt(number: int, _: Any) -> NoReturn:
    for one in _ENDING:
        signal.signal(one, _pass_over)
    raise KeyboardInterrupt(number)


def _pass_over(*_: Any) -> None:
    """Not SIG_IGN, which what is started meanwhile would inherit."""


@contextmanager
def _handled(handlers: Mapping[signal.Signals, Callable[..., object]]) -> Iterator[None]:
    """From the main thread, as Python wants it."""
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
