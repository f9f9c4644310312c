#!/bin/sh
# Compiles the static executable for an architecture, on a Debian system with Node.js; what is
# missing comes from Debian's packages and the npm registry.
#
#   build-executable.sh amd64|arm64 OUTPUT
set -eu

deno_version=2.9.6
target=$1
output=$2
shift 2
cd "$(dirname "$0")/.."

case $target in
amd64) arch=x86_64 package=@deno/linux-x64-glibc ;;
arm64) arch=aarch64 package=@deno/linux-arm64-glibc ;;
*) echo "build-executable.sh: \"$target\" is neither amd64 nor arm64" >&2; exit 64 ;;
esac

install() {
  apt-get update -q
  apt-get install -q -y --no-install-recommends "$@"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$(uname -m)" = "$arch" ]; then
  command -v cc >/dev/null || install gcc libc6-dev
else
  triplet=$(echo "$arch" | tr _ -)-linux-gnu
  command -v "$arch-linux-gnu-gcc" >/dev/null || install "gcc-$triplet" "libc6-dev-$target-cross"
  npm pack --silent --pack-destination "$work" "$package@$deno_version"
  tar -xzf "$work"/*.tgz -C "$work"
  set -- --arch "$arch" --deno "$work/package/deno"
fi
# What `deno compile` needs is on neither registry.
npx -y "deno@$deno_version" run -A scripts/compile.ts --runtime deno --output "$output" "$@"
