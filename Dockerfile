# syntax=docker/dockerfile:1
# Production image: no fake servers, no desktop keyring; secrets come from the environment or mounted files.
# It builds on amd64 and arm64. Build each on its own kind of machine: emulated, the engine takes hours.
FROM rust:1.95-slim-bookworm AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN cargo install --locked --path . --root /out --no-default-features

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="billstream" \
      org.opencontainers.image.description="Confluent Cloud costs into CloudZero" \
      org.opencontainers.image.licenses="Apache-2.0"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 billstream \
    && useradd --uid 10001 --gid 10001 --create-home --home-dir /var/lib/billstream --shell /usr/sbin/nologin billstream
COPY --from=build /out/bin/billstream /usr/local/bin/billstream
# By number, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /var/lib/billstream
# billstream writes only here (./billstream-data, unless the store is a bucket) and in /tmp, where the engine spills: the
# root file system may be read-only. BILLSTREAM_STORE is left unset, as it would override `store` of a configuration file.
VOLUME /var/lib/billstream
# No HEALTHCHECK: a batch run's health is its exit code, and `billstream status` between the runs.
ENTRYPOINT ["billstream"]
CMD ["import"]
