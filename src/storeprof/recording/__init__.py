"""The recording: the one object that every stage of storeprof passes through."""
