#!/bin/sh
# Compiles approval.c to approval.wasm, or says what is missing and exits 77.
cd "$(dirname "$0")" || exit 1
for tool in clang wasm-ld; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed; on Debian: apt-get install clang lld" >&2
        exit 77
    fi
done
# No floats, no vectors, nothing that the sandbox refuses; a small stack, because every ballot is
# judged in a fresh instance.
exec clang --target=wasm32 -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -fno-builtin \
    -mcpu=mvp -mmutable-globals -msign-ext \
    -Wl,--no-entry -Wl,-z,stack-size=65536 -Wl,--strip-debug \
    -o "${1:-approval.wasm}" approval.c
