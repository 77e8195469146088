#!/usr/bin/env bash
# The end of a run of stages: summary.sh start | summary.sh print. Fails when a stage failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [ "${1:-}" = start ]; then
	rm -rf .out/stages
	mkdir -p .out/stages
	exit 0
fi
echo
awk -F'\t' '{ printf "  %-16s %5d s  %s\n", $1, $2, $3; t += $2 } END { printf "  %-16s %5d s\n", "all", t }' .out/stages/list
cat .out/stages/*.counts 2>/dev/null |
	awk '{ p += $1; f += $2; s += $3 } END { printf "tests: %d passed, %d failed, %d skipped\n", p, f, s }'
if grep -q 'failed$' .out/stages/list; then
	echo "FAILED: $(awk -F'\t' '$3 == "failed" { printf "%s ", $1 }' .out/stages/list)"
	exit 1
fi
