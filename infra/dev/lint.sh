#!/usr/bin/env bash
# Everything that is wrong without running it: Go, protos, and whether what is generated is current. Runs all, then fails.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$root"
failed=0
step() { # step WHAT COMMAND...
	local what=$1 output code
	shift
	output=$("$@" 2>&1)
	code=$?
	[ $code = 0 ] && return
	echo "lint: $what"
	printf '%s\n' "$output" | grep -v '^go: downloading ' | awk 'NR <= 60 { print "  " $0 } END { if (NR > 60) print "  ... " NR - 60 " more lines" }'
	failed=1
}
tool() { go tool -modfile=tools/go.mod "$@"; }

written() { # written GLOB: files in the tree that a person wrote
	git ls-files -co --exclude-standard -- "$1" ':!proto/gen' | while IFS= read -r f; do [ -e "$f" ] && echo "$f"; done
}
formatted() {
	local files bad
	mapfile -t files < <(written '*.go')
	[ ${#files[@]} -gt 0 ] || return 0
	bad=$(tool gofumpt -l "${files[@]}") || return 1
	[ -z "$bad" ] || { echo "$bad"; echo "run: make format"; return 1; }
}
tidy() {
	local diff
	diff=$(go mod tidy -diff 2>&1) && return 0
	echo "run: go mod tidy"
	echo "$diff" | grep -v '/go.mod h1:\|// indirect\|^go: downloading ' | head -20
	return 1
}
listed() { go list ./... >/dev/null; }
mapfile -t packages < <(go list ./... 2>/dev/null | grep -v /node_modules/)

step "gofumpt" formatted
step "go list" listed
if [ ${#packages[@]} -gt 0 ]; then
	step "go vet" go vet "${packages[@]}"
	step "staticcheck" tool staticcheck "${packages[@]}"
fi
step "go.mod is not tidy" tidy
if [ -n "$(written '*.proto')" ]; then
	if command -v buf >/dev/null; then
		step "buf lint" buf lint
		[ -e proto/released.binpb ] && step "a change breaks released clients" buf breaking --against proto/released.binpb
		step "generated code" infra/dev/generate.sh --check
	else
		echo "lint: buf is not here; protos and generated code not looked at"
	fi
fi
exit $failed
