#!/usr/bin/env bash
# Makes a bare Debian in a folder, clones what is committed here into it and runs make test there: the proof of the install steps.
# From this machine it takes the Go toolchain, the name servers and the certificates trusted, nothing else.
#   fresh.sh [COMMAND...]     another command than make test, in the clone
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$root"
suite=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
[ $# -gt 0 ] || set -- bash -c 'infra/dev/setup.sh test && make test'

[ "$(id -u)" = 0 ] || exec sudo --preserve-env=DEBIAN_MIRROR,http_proxy,https_proxy,no_proxy "$0" "$@"
command -v debootstrap >/dev/null || { echo "fresh: debootstrap is missing; run make setup" >&2; exit 1; }

mkdir -p .out
dir=$(mktemp -d "$root/.out/fresh.XXXXXX")
# The mounts live in a namespace of their own and are gone with it, whichever way it ends; --one-file-system all the same.
trap 'rm -rf --one-file-system "$dir"' EXIT
chmod 755 "$dir"
target=$dir/root
took() { echo "fresh: $1 took $(($(date +%s) - start)) s"; }

start=$(date +%s)
echo "fresh: Debian $suite into ${target#"$root/"}"
debootstrap --variant=minbase "$suite" "$target" "$mirror" >"$dir/debootstrap.log" 2>&1 || { tail -20 "$dir/debootstrap.log"; exit 1; }
took debootstrap

cp -rL "$(go env GOROOT)" "$target/usr/local/go"
cp -L /etc/resolv.conf "$target/etc/resolv.conf"
cp -L /etc/hosts "$target/etc/hosts"
printf '#!/bin/sh\nexit 101\n' >"$target/usr/sbin/policy-rc.d" # no package starts a service
chmod 755 "$target/usr/sbin/policy-rc.d"
printf 'deb %s %s main\n' "$mirror" "$suite-updates" "${mirror%/debian}/debian-security" "$suite-security" \
	>"$target/etc/apt/sources.list.d/updates.list"
trusted=()
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
	install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$target/etc/ssl/machine.crt"
	trusted=(SSL_CERT_FILE=/etc/ssl/machine.crt NODE_EXTRA_CA_CERTS=/etc/ssl/machine.crt)
fi
mkdir -p "$target/src"
git clone --quiet --no-hardlinks "$root" "$target/src/trunkline"

cat >"$dir/inside.sh" <<'INSIDE'
set -euo pipefail
target=$1
shift
mount --make-rprivate /
mount -t proc proc "$target/proc"
mount --rbind /sys "$target/sys"
mount --rbind /dev "$target/dev"
mount -t tmpfs tmpfs "$target/dev/shm" 2>/dev/null || true
mount -t tmpfs -o mode=1777 tmpfs "$target/tmp"
exec chroot "$target" /usr/bin/env -i "$@"
INSIDE
pass=()
for v in http_proxy https_proxy no_proxy GOPROXY GOSUMDB; do [ -z "${!v:-}" ] || pass+=("$v=${!v}"); done
start=$(date +%s)
code=0
unshare --mount --pid --ipc --uts --fork --kill-child bash "$dir/inside.sh" "$target" \
	HOME=/root LANG=C.UTF-8 CI=true GOTOOLCHAIN=local PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	"${pass[@]}" "${trusted[@]}" \
	bash -c 'cd /src/trunkline && exec "$@"' fresh "$@" </dev/null || code=$?
took "the run"
[ $code = 0 ] || echo "fresh: failed with $code" >&2
exit $code
