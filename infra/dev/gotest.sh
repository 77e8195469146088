#!/usr/bin/env bash
# go test with little to read while all is well: one line a package, then in full what failed. Keeps the whole output in .out/test
# and the counts for summary.sh. A run in which nothing ran fails: a pattern that matches no test any more must not pass.
#   gotest.sh NAME ARGUMENTS-OF-GO-TEST...     LIVE=1: also a line for each top-level test, as it ends
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$root"
name=$1
shift
mkdir -p .out/test .out/stages
log=.out/test/$name.log
go test -v "$@" 2>&1 | tee "$log" | awk -v live="${LIVE:-}" -v counts=".out/stages/$name.counts" '
	/^--- PASS/ { pass++ }
	/^--- FAIL/ { fail++; named = 1 }
	/^--- SKIP/ { skip++ }
	/^Benchmark.* ns\/op/ { bench++ }
	/^FIGURE / || / FIGURE / { print }
	live && /^--- (PASS|FAIL|SKIP)/ { print "   " $0; fflush() }
	/^(ok  |\?   |FAIL)\t/ || /^\t[^ \t]+\t+coverage:/ {
		if ($1 == "FAIL") {
			for (i = 1; i <= n; i++) print block[i]
			if (!named) fail++ # did not build, or ended before any test could fail
		}
		if ($0 !~ /no test files/ && $0 !~ /no tests to run/ && $1 != "coverage:") print
		n = 0; named = 0; fflush(); next
	}
	/^=== (RUN|PAUSE|CONT|NAME)/ || /^ *--- (PASS|SKIP)/ || /^PASS$/ || /^testing: warning: no tests to run/ { next }
	{ block[++n] = $0 }
	END {
		for (i = 1; i <= n; i++) if (block[i] !~ /^FAIL$/) print block[i]
		printf "%d %d %d\n", pass, fail, skip > counts
		if (pass + fail + skip + bench == 0) { print "no test ran"; exit 1 }
	}'
codes=("${PIPESTATUS[@]}")
code=${codes[0]}
[ "$code" != 0 ] || code=${codes[2]}
[ "$code" = 0 ] || echo "whole output: $log"
exit "$code"
