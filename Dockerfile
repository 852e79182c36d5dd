# syntax=docker/dockerfile:1
# Production image: no fake servers, no desktop keyring; secrets come from the environment or mounted files.
FROM rust:1.95-slim-bookworm AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN cargo install --locked --path . --root /out --no-default-features

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/billstream billstream
COPY --from=build /out/bin/billstream /usr/local/bin/billstream
USER 10001
WORKDIR /var/lib/billstream
ENV BILLSTREAM_STORE=/var/lib/billstream/data
VOLUME /var/lib/billstream
ENTRYPOINT ["billstream"]
CMD ["import"]
