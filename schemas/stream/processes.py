"""The resource usage of each process of a real run: `system/processes.csv`; `processes.csv` where that folder is the system's.

Columns: seconds of scenario time; the name of the process and its id; memory in bytes; CPU time in real seconds since the
process began; threads; open files.
"""

TABLE = "processes.csv"
COLUMNS = ("t_s", "process", "pid", "rss_bytes", "cpu_s", "threads", "open_files")
RUNNER = "runner"
"""The name of the runner in it."""
