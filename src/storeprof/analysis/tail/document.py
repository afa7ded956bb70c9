"""Tail and mean budgets of an operation as the findings document spells them (docs/formats/findings.md)."""

from __future__ import annotations

from typing import Any

from storeprof.analysis.accounting.charges import OTHER
from storeprof.analysis.tail.causes import Part, Tail


def tail_document(tail: Tail) -> dict[str, Any] | None:
    """`operations[].tail`; None where there is too little data."""
    budget = tail.budget
    if budget is None:
        return None
    shown = [one for one in tail.causes if one.part.category != OTHER]
    causes = [
        {
            **_part(one.part, one.resource),
            "seconds": _rounded(one.part.share.value * budget.gap_s),
            "beside": [row.function for row in one.beside.functions[:3]],
        }
        for one in shown
    ]
    left = 1.0 - sum(row["share"] for row in causes)
    return {
        "p99_minus_p50_s": _rounded(budget.gap_s),
        "causes": causes,
        "unexplained_share": round(left, 4),
        "operations_looked_at": {"tail": budget.tail.operations, "middle": budget.middle.operations},
        "bands": [[budget.middle.low, budget.middle.high], [budget.tail.low, budget.tail.high]],
    }


def mean_document(tail: Tail) -> dict[str, Any] | None:
    """`operations[].mean`: where the time of an average operation goes; None without a look inside one."""
    if not tail.mean or not tail.operation.count:
        return None
    total = tail.operation.total_s / tail.operation.count
    shown = [one for one in tail.mean if one.category != OTHER]
    parts = [
        {**_part(one, one.place.resource or one.place.function), "seconds": _rounded(one.share.value * total)}
        for one in shown
    ]
    left = 1.0 - sum(row["share"] for row in parts)
    return {"total_s": _rounded(total), "parts": parts, "unexplained_share": round(left, 4)}


def _part(part: Part, resource: str | None) -> dict[str, Any]:
    return {
        "component": part.component,
        "resource": resource,
        "function": part.place.function,
        "share": round(part.share.value, 4),
        "ci": part.share.as_list(),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
