#!/usr/bin/env bash
# Generates Go and TypeScript from proto/. Files that would not change are not touched, files whose source is gone are removed.
#   generate.sh          write
#   generate.sh --check  write nothing; fail and name the files when what is committed is not current
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$root"
check=${1:-}

for tool in buf protoc-gen-es go; do
	command -v "$tool" >/dev/null || { echo "generate: $tool is missing; run make setup" >&2; exit 1; }
done
if [ -z "$(find proto -path proto/gen -prune -o -name '*.proto' -print -quit 2>/dev/null)" ]; then
	echo "generate: no .proto files under proto/"
	exit 0
fi

mkdir -p .out
new=$(mktemp -d .out/generate.XXXXXX)
trap 'rm -rf "$new"' EXIT
buf generate --output "$new"

changed=0
differs() { # differs WHAT FILE
	changed=$((changed + 1))
	echo "$1 $2"
}
for dir in proto/gen webapp/src/api/gen; do
	mkdir -p "$dir" "$new/$dir"
	while IFS= read -r -d '' f; do
		f=${f#"$new/"}
		cmp -s "$new/$f" "$f" && continue
		differs "write " "$f"
		[ "$check" = --check ] || install -D -m 644 "$new/$f" "$f"
	done < <(find "$new/$dir" -type f -print0)
	while IFS= read -r -d '' f; do
		[ -e "$new/$f" ] && continue
		differs "remove" "$f"
		[ "$check" = --check ] || rm "$f"
	done < <(find "$dir" -type f -print0)
	[ "$check" = --check ] || find "$dir" -mindepth 1 -type d -empty -delete
done
if [ "$check" = --check ] && [ "$changed" -gt 0 ]; then
	echo "generate: $changed file(s) are not current; run make generate and commit the result" >&2
	exit 1
fi
echo "generate: $changed file(s) changed"
