#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh [BULKHEAD]: one analysis, twice: with enough memory, and with too little. `make run`.

set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
bulkhead=$(realpath "${1:-$top/build/release/bulkhead}")
work=$top/build/demo
mkdir -p "$work"
[ -e "$work/data.csv" ] || {
	python3 "$top/examples/analysis/make-data.py" "$work/data.csv.part"
	mv "$work/data.csv.part" "$work/data.csv"
}
cd "$work"

show() { # show EXPECTED-STATUS MEMORY
	echo
	verdict=verdict-$2.json
	echo "\$ bulkhead run --memory $2 --timeout 5m --verdict $verdict -- python3 analyse.py data.csv"
	status=0
	"$bulkhead" run --memory "$2" --timeout 5m --verdict "$verdict" -- \
		python3 "$top/examples/analysis/analyse.py" data.csv || status=$?
	echo "\$ echo \$?"
	echo "$status"
	echo "\$ python3 -m json.tool $verdict"
	python3 -m json.tool "$verdict"
	[ "$status" = "$1" ] || {
		echo "demo.sh: exit status $status where $1 was expected" >&2
		exit 1
	}
}

show 0 1G
show 137 64M
