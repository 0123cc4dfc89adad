#!/bin/sh
# worker.sh SPOOL: takes one file after the other from SPOOL/new, works on it, and puts it where it belongs.
spool=$1
mkdir -p "$spool/new" "$spool/doing" "$spool/done" "$spool/failed" "$spool/keys" "$spool/tries"
trap exit TERM # after the file at hand
echo ready

while :; do
    for file in "$spool"/new/*; do
        task=${file##*/}
        mv "$file" "$spool/doing/$task" 2>/dev/null || continue # another worker was faster
        echo >> "$spool/tries/$task"
        soak body "$(cat "$spool/doing/$task")" # your own work is here in real life
        case $? in
        0) mv "$spool/doing/$task" "$spool/done/$task" ;;
        75) # a transient error: three tries
            if [ "$(wc -l < "$spool/tries/$task")" -lt 3 ]; then to=new; else to=failed; fi
            mv "$spool/doing/$task" "$spool/$to/$task"
            ;;
        *) mv "$spool/doing/$task" "$spool/failed/$task" ;;
        esac
    done
    sleep 0.2
done
