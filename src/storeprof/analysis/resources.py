"""Names of what threads wait for."""

from __future__ import annotations

from storeprof.analysis import describe
from storeprof.analysis.accounting.charges import Charges
from storeprof.recording.model import Recording


def resource_name(recording: Recording, rows: Charges) -> str | None:
    """The resource most of the rows wait for, when it has a name."""
    ranked = describe.sums_by(rows.resource, rows.weight_ns)
    if not ranked or ranked[0][0] < 0:
        return None
    found = recording.sql("SELECT name FROM resources WHERE resource_id = ?", [int(ranked[0][0])])["name"]
    return str(found[0]) if len(found) else None
