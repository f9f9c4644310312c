#!/bin/sh
# Names a released version of both images `latest-stable`, if its release workflow signed it.
# Needs docker with buildx, logged in, and cosign.
#
#   promote.sh ghcr.io/ORG/NAME vX.Y.Z
set -eu

repository=$1
version=$2
case $version in
*[!v0-9.]*) valid= ;; # also a second line, which grep would take for itself
*) valid=$(printf '%s' "$version" | grep -Ex 'v[0-9]+\.[0-9]+\.[0-9]+' || true) ;;
esac
if [ -z "$valid" ]; then
  echo "promote.sh: \"$version\" is not a version such as v1.2.3" >&2
  exit 64
fi
workflow=https://github.com/${repository#ghcr.io/}/.github/workflows/image.yml

# Both are checked before either is named.
for suffix in "" -static; do
  cosign verify "$repository:$version$suffix" \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity "$workflow@refs/tags/$version" >/dev/null
done
for suffix in "" -static; do
  docker buildx imagetools create --tag "$repository:latest-stable$suffix" \
    "$repository:$version$suffix"
done
