#!/usr/bin/env bash
# The web app, from the root of the repository.
#   web.sh lint | types | test | build      build does nothing when dist is newer than all it is made of; web.sh build --force does
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$root/webapp"
[ -e package.json ] || { echo "web: no web app yet"; exit 0; }
[ -d node_modules ] || { echo "web: its packages are not installed; run make setup" >&2; exit 1; }

case ${1:-} in
lint) npm run --silent lint ;;
types) npm run --silent typecheck ;;
test)
	mkdir -p ../.out/stages ../.out/test
	log=../.out/test/web.log
	code=0
	NO_COLOR=1 npm run --silent test 2>&1 | tee $log || code=$?
	number() { grep -E '^ *Tests ' $log | grep -oE "[0-9]+ $1" | tail -1 | cut -d' ' -f1 || true; }
	passed=$(number passed) failed=$(number failed) skipped=$(number skipped)
	echo "${passed:-0} ${failed:-0} ${skipped:-0}" >../.out/stages/web.counts
	exit $code
	;;
build)
	mkdir -p ../.out dist
	exec 9>../.out/web.lock
	flock 9 # two builds at once would empty each other's folder
	mark=../.out/web.built
	if [ "${2:-}" != --force ] && [ -e $mark ] && [ -e dist/index.html ] &&
		[ -z "$(find . \( -name node_modules -o -name dist -o -name .git \) -prune -o -type f -newer $mark -print -quit)" ]; then
		echo "web: dist is current"
		exit 0
	fi
	touch $mark.started
	trap 'mkdir -p dist && touch dist/.gitkeep' EXIT # vite empties the folder
	npm run --silent build
	mv $mark.started $mark
	;;
*) echo "usage: web.sh lint|types|test|build" >&2; exit 2 ;;
esac
