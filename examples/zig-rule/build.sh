#!/bin/sh
# Compiles approval.zig to approval.wasm, or says what is missing and exits 77.
cd "$(dirname "$0")" || exit 1
if command -v zig >/dev/null; then
    zig=zig
elif python3 -m ziglang version >/dev/null 2>&1; then
    zig="python3 -m ziglang"
else
    echo "skipped: zig is not installed; get it from https://ziglang.org or by: pip install ziglang" >&2
    exit 77
fi
case "${1:-approval.wasm}" in
    /*) out="$1" ;;
    *) out="$PWD/${1:-approval.wasm}" ;;
esac
# ReleaseSafe keeps the checks: a count that wraps must stop, not lie. No floats, no vectors, nothing
# that the sandbox refuses; a small stack, because every ballot is judged in a fresh instance.
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
$zig build-exe approval.zig -target wasm32-freestanding -mcpu=mvp+sign_ext+mutable_globals+bulk_memory \
    -O ReleaseSafe -fno-entry -rdynamic -fstrip --stack 65536 \
    --cache-dir "$work/cache" -femit-bin="$out"
