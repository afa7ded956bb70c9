"""What pictures of a recording are drawn from: its accounts in bins of time, by thread, operation, reason and stack."""
