#!/usr/bin/env bash
# Runs one stage of a longer run, prints what it took and keeps the result for summary.sh.
#   stage.sh NAME COMMAND...
set -uo pipefail
name=$1
shift
out=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/.out/stages
mkdir -p "$out"
echo "== $name"
start=$(date +%s)
"$@"
code=$?
took=$(($(date +%s) - start))
if [ $code = 0 ]; then result=ok; else result=failed; fi
if [ $code = 0 ]; then echo "-- $name $took s"; else echo "-- $name $took s FAILED"; fi
printf '%s\t%s\t%s\n' "$name" "$took" "$result" >>"$out/list"
exit $code
