#!/bin/sh
# census.sh SPOOL: how many tasks are in each state, as JSON.
count() { ls "$spool/$1" 2>/dev/null | wc -l; }
spool=$1
printf '{"pending": %d, "in_progress": %d, "done": %d, "failed": %d}\n' "$(count new)" "$(count doing)" "$(count done)" "$(count failed)"
