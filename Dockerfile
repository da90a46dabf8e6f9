# One image with both binaries: `weighbridge` (the router) and `fakellm` (simulated providers).
FROM rust:1-slim-bookworm AS builder
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p weighbridge -p weighbridge-fakellm --bins

FROM debian:bookworm-slim
# Providers are called over TLS.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*

COPY --from=builder /src/target/release/weighbridge /src/target/release/fakellm /usr/local/bin/
COPY deploy/healthcheck.sh /app/healthcheck.sh

# Another deployment list: docker build --build-arg CONFIG_FILE=./my_config.yaml .
ARG CONFIG_FILE=./router_config.yaml
COPY ${CONFIG_FILE} /app/router_config.yaml

WORKDIR /app
USER 65532:65532
ENV PORT=8000
ENV WEIGHBRIDGE_CONFIG=/app/router_config.yaml
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=3 \
    CMD bash /app/healthcheck.sh "$PORT" /health/ready
ENTRYPOINT ["weighbridge"]
CMD ["serve"]
