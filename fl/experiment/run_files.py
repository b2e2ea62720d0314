"""What the files of a run directory are called; `run_directory` writes them."""

SETTINGS = "settings.json"
METRICS = "metrics.jsonl"
SEEN = "seen.json"
REPORT = "report.html"
