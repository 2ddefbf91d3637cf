#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test-vmrun.sh [PACKAGE…]: check the rig itself, on each kernel.

# shellcheck disable=SC2016  # what is in single quotes is for the shell in the guest

set -uo pipefail
here=$(dirname -- "$(realpath -- "$0")")
[ $# -gt 0 ] || set -- linux-image-amd64 linux-image-6.12-amd64
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bulkhead-vm
failures=0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

expect() { # expect NAME WANTED GOT
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		echo "not ok $1: wanted '$2', got '$3'"
		failures=$((failures + 1))
	fi
}

vm() { "$here/vmrun" -t 300 -k "$package" "$@"; }

status_of() { "$@" >"$work/out" 2>"$work/err"; echo $?; }

for package; do
	echo "== $package"
	SECONDS=0
	expect 'true is 0' 0 "$(status_of vm -- true)"
	echo "# after $SECONDS s"
	expect 'exit status' 7 "$(status_of vm -- bash -c 'exit 7')"
	expect 'death by a signal' 137 "$(status_of vm -- bash -c 'kill -KILL $$')"
	expect 'not found' 127 "$(status_of vm -- /no/such/program)"
	expect 'a service of systemd' 7 "$(status_of vm -- "$here/under-systemd" -- systemd-run --wait bash -c 'exit 7')"
	expect 'time limit' 124 "$(status_of "$here/vmrun" -k "$package" -t 15 -- sleep 1000)"

	# Much output at the very end, a process left behind, arguments and environment intact,
	# a directory with a space in its name.
	directory="$work/a, b"
	mkdir -p "$directory"
	cd "$directory" || exit
	rc=$(ODD=$'two\nlines' status_of vm -- bash -c '
		sleep 1000 & seq 100000; seq 50000 >&2; printf "%s|%s|%s" "$ODD" "$PWD" "$1"' - "it's *")
	expect 'status of a long output' 0 "$rc"
	{ seq 100000; printf '%s|%s|%s' $'two\nlines' "$directory" "it's *"; } >"$work/wanted"
	expect 'stdout is whole' "$(cksum <"$work/wanted")" "$(cksum <"$work/out")"
	expect 'stderr is whole' "$(seq 50000 | cksum)" "$(cksum <"$work/err")"

	echo original >"$work/scratch"
	vm -w "$directory" -- "$here/guest/check" "$work/scratch" "$directory" || failures=$((failures + 1))
	expect 'the file is as it was' original "$(<"$work/scratch")"
	expect 'the directory has the result' 1 "$(grep -c amd64 "$directory/release")"
	cd / || exit
	rm -r "$directory"

	# Two at once.
	(vm -- sh -c 'exit 3'; echo $? >"$work/first") &
	rc=$(status_of vm -- sh -c 'exit 4')
	wait
	expect 'two at once' '3 4' "$(<"$work/first") $rc"

	# Whatever becomes of vmrun, the machine ends, and the next run sweeps up.
	"$here/vmrun" -k "$package" -- sleep 1000 &
	victim=$!
	until machine=$(pgrep -P "$victim" -x timeout); do kill -0 "$victim" || break; done
	kill -KILL "$victim"
	wait "$victim" 2>/dev/null
	timeout 20 tail --pid="$machine" -f /dev/null
	expect 'the machine ends with vmrun' 0 $?
	expect 'and the next run works' 0 "$(status_of vm -- true)"
	expect 'and leaves no run behind' '' "$(find "$cache" -maxdepth 1 -name 'run.*')"
done

if [ $failures -gt 0 ]; then echo "$failures failed"; exit 1; fi
echo 'all passed'
