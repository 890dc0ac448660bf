#!/bin/sh
# Cargo starts this instead of the compiler, which it starts with one argument changed. Cargo makes
# `metadata`, which goes into the names of functions, from the paths of crates; here it is the crate's name.
rustc=$1
shift
for argument do
    shift
    case $argument in
        metadata=*) argument="metadata=$CARGO_PKG_NAME $CARGO_PKG_VERSION $CARGO_CRATE_NAME " ;;
    esac
    set -- "$@" "$argument"
done
exec "$rustc" "$@"
