# The node image: Lokinet's programs (lokinet, lokinet-oxend, python -m lokinet_node.keys …) on Debian's Python, and nothing to build with.
#   docker build -t localhost/lokinet-testnet/node:local .        or: make images
# Kept to what every builder takes: no RUN --mount, no heredoc, no COPY --link.

FROM debian:bookworm-slim AS build
# One dependency has no ready-made wheel outside x86_64; there it is compiled.
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && { [ "$(uname -m)" = x86_64 ] || apt-get install -y --no-install-recommends gcc libc6-dev python3-dev; } \
 && rm -rf /var/lib/apt/lists/* \
 && python3 -m venv /opt/lokinet
WORKDIR /build
# What the node needs of the lock; the rest of it is the orchestrator's. A name that is missing here fails the build, as pip checks hashes.
ARG NEEDS="cffi|cryptography|dnslib|h11|pycparser|pynacl|python-pytun"
COPY requirements.txt ./
RUN awk -v needs="^($NEEDS)==" '/^[a-z]/ { keep = $1 ~ needs } keep' requirements.txt >node.txt \
 && /opt/lokinet/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r node.txt
COPY requirements-dev.txt ./
RUN awk '/^[a-z]/ { keep = /^setuptools==/ } keep' requirements-dev.txt >build.txt \
 && /opt/lokinet/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r build.txt
COPY pyproject.toml README.md LICENSE ./
COPY lokinet_node lokinet_node
# Bytecode is written here, for good: containers run on a read-only file system. `testnet` is the orchestrator's.
RUN /opt/lokinet/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
 && /opt/lokinet/bin/pip uninstall -y setuptools pip \
 && rm -f /opt/lokinet/bin/testnet /opt/lokinet/bin/activate* /opt/lokinet/bin/Activate* \
 && python3 -m compileall -q -f --invalidation-mode unchecked-hash /opt/lokinet/lib

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 1090 lokinet \
 && useradd --system --uid 1090 --gid 1090 --home-dir /var/lib/lokinet --create-home lokinet \
 && chmod 711 /root
COPY --from=build /opt/lokinet /opt/lokinet
ENV PATH=/opt/lokinet/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1
# /root lets through, as `testnet` of root keeps nodes' files below it, and a path inside is the path outside.
# A router without a tun needs no right at all. A node with a tun runs as root with NET_ADMIN alone: docs/images.md.
USER lokinet
WORKDIR /var/lib/lokinet
LABEL org.opencontainers.image.title="lokinet-testnet node" org.opencontainers.image.licenses="Apache-2.0"
ENTRYPOINT ["lokinet"]
