#!/bin/sh
# Makes a release's files in a directory: the executables of both architectures and their checksums.
# Needs docker, which compiles in the image that the Dockerfile compiles in.
#
#   release-files.sh DIRECTORY
set -eu

cd "$(dirname "$0")/.."
mkdir -p "$1"
output=$(cd "$1" && pwd)
base=$(sed -n 's/^ARG BUILD_BASE=//p' Dockerfile)
for target in amd64 arm64; do
  docker run --rm --volume "$PWD:/src:ro" --volume "$output:/out" "$base" \
    /src/scripts/build-executable.sh "$target" "/out/fastmcp-runner-linux-$target"
done
cd "$output"
sha256sum fastmcp-runner-linux-* >SHA256SUMS
