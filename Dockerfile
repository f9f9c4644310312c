# The images that carry fastmcp-runner (docs/executable.md):
#
#   docker build --target static .    the executable alone
#   docker build .                    with Python and Node.js, for servers that need them
#
# Both start as root, which fastmcp-runner gives up before it becomes the server; `--user` works too.

# node:24.18.0-bookworm-slim; its C library is what the executable carries.
ARG BUILD_BASE=docker.io/library/node:24.18.0-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d
ARG BUILDPLATFORM
ARG RUNNER_BASE=cgr.dev/chainguard/wolfi-base:latest@sha256:05d24163df148be377275af8374c16523a1dc7e19bf4f1c689784791553c5e45

FROM --platform=${BUILDPLATFORM} ${BUILD_BASE} AS build
ARG TARGETARCH
WORKDIR /src
COPY . .
RUN scripts/build-executable.sh "${TARGETARCH:-$(dpkg --print-architecture)}" /out/fastmcp-runner

FROM scratch AS static
COPY --from=build /out/fastmcp-runner /fastmcp-runner
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["/fastmcp-runner", "health"]
ENTRYPOINT ["/fastmcp-runner"]

FROM ${RUNNER_BASE} AS runner
ARG PYTHON_VERSION=3.12
ARG NODE_VERSION=24
# The paths below are those an image's files go to: a platform that runs the container as user 1000
# (Hugging Face Spaces) can write them.
RUN apk add --no-cache "nodejs-${NODE_VERSION}" "python-${PYTHON_VERSION}" \
  && adduser -D -g "" -h /home/user -s /sbin/nologin -u 1000 user \
  && mkdir -p /app /data /opt /srv /var/data /usr/local/lib/node_modules \
    "/usr/local/lib/python${PYTHON_VERSION}/site-packages" \
  && chown -R 1000:1000 /app /data /home /opt /srv /var/data /usr/local/lib/node_modules \
    "/usr/local/lib/python${PYTHON_VERSION}"
COPY --from=build /out/fastmcp-runner /fastmcp-runner
WORKDIR /app
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["/fastmcp-runner", "health"]
ENTRYPOINT ["/fastmcp-runner"]
