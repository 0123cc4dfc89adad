#!/bin/sh
# mended.sh SPOOL: worker.sh with a lock on each file, which the kernel releases when all that hold it are dead. What is in
# SPOOL/doing and not locked was left by a worker that died, and is taken again.
spool=$1
mkdir -p "$spool/new" "$spool/doing" "$spool/done" "$spool/failed" "$spool/keys" "$spool/tries"
trap exit TERM # after the file at hand
echo ready

while :; do
    for file in "$spool"/doing/* "$spool"/new/*; do
        { command exec 9< "$file"; } 2> /dev/null || continue
        flock -n 9 || continue # another worker is at it
        task=${file##*/}
        [ -e "$file" ] || continue # or was, between the two lines above
        [ "$file" = "$spool/doing/$task" ] || mv "$file" "$spool/doing/$task"
        echo >> "$spool/tries/$task"
        soak body "$(cat "$spool/doing/$task")"
        case $? in
        0) mv "$spool/doing/$task" "$spool/done/$task" ;;
        75)
            if [ "$(wc -l < "$spool/tries/$task")" -lt 3 ]; then to=new; else to=failed; fi
            mv "$spool/doing/$task" "$spool/$to/$task"
            ;;
        *) mv "$spool/doing/$task" "$spool/failed/$task" ;;
        esac
    done
    exec 9<&-
    sleep 0.2
done
