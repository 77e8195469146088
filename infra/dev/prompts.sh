#!/usr/bin/env bash
# Speaks the included prompts into internal/prompts/sound: 8 kHz u-law, silence at the ends cut, all equally loud. Needs espeak-ng and
# sox. The result is committed; run this again when internal/prompts/texts.go changes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=internal/prompts/sound
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p $out
[ -e $out/music.ulaw ] || go run ./internal/prompts/gen -music $out # the package embeds the folder: it may not be empty
go build -o "$work/gen" ./internal/prompts/gen

rm -rf $out/en $out/zh-Hans
while IFS=$'\t' read -r name language voice spoken; do
	mkdir -p "$out/$language"
	speed=155
	case $name in number_*) speed=140 ;; esac
	[ "$language" = en ] || speed=$((speed - 15))
	espeak-ng -v "$voice" -s $speed -g 2 -w "$work/raw.wav" -- "$spoken" </dev/null
	# Numbers are heard between two other prompts, so they end sooner.
	tail=0.25
	case $name in number_* | position_prefix) tail=0.06 ;; esac
	sox "$work/raw.wav" -t raw -r 8000 -c 1 -e mu-law -b 8 "$out/$language/$name.ulaw" \
		silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse \
		gain -6 highpass 120 rate -v 8000 gain -n -4 pad 0.02 $tail
done < <("$work/gen" -script)
du -sh --apparent-size $out
