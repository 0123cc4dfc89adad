#!/bin/sh
# submit.sh SPOOL KEY PAYLOAD: a file in SPOOL/new for each task, named by its key. Exit code 3: the key was there before.
spool=$1 key=$2 payload=$3
mkdir -p "$spool/new" "$spool/doing" "$spool/done" "$spool/failed" "$spool/keys" "$spool/tries"
(set -C; : > "$spool/keys/$key") 2>/dev/null || exit 3
printf '%s' "$payload" > "$spool/keys/$key"
ln "$spool/keys/$key" "$spool/new/$key"
