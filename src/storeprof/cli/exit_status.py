"""Exit statuses that scripts rely on (CONTRACT)."""

UNUSABLE = 2
RECORDER_FAILED = 125
