# vtmr as a service: `docker build -t vtmr .`, then
#   docker run --rm -p 8000:8000 -e VTMR_API_KEYS="$(openssl rand -hex 24)" vtmr
# The weights are in the package; nothing is fetched when it runs. It writes to /tmp alone, so that
# `--read-only --tmpfs /tmp` works, and `--network none` besides, for whoever only wants to see it.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
# First what seldom changes: every file of it is checked against its hash.
COPY requirements-serve.txt ./
RUN python -m venv /opt/vtmr \
    && /opt/vtmr/bin/python -m pip install --no-cache-dir --require-hashes -r requirements-serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN /opt/vtmr/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/vtmr/bin/python -m compileall -q /opt/vtmr/lib

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="vtmr" \
      org.opencontainers.image.description="A few clicks become an exact object mask" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/vtmr /opt/vtmr
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin vtmr
USER 10001
WORKDIR /tmp
ENV PATH=/opt/vtmr/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=8)"]
# No key, no start: on this address `vtmr serve` asks for VTMR_API_KEYS or --keys.
CMD ["vtmr", "serve", "--host", "0.0.0.0", "--port", "8000"]
