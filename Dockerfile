# Pulsegate in a container: no root, nothing written outside /data and /tmp, no secret in the image, every package pinned.
# The Python of the base is the one that the tests run with; its last digits move with Debian's and Python's repairs.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY requirements-build.txt requirements.txt ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --no-cache-dir -r requirements-build.txt
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheels -r requirements.txt
COPY pyproject.toml README.md ./
COPY src ./src
COPY migrations ./migrations
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheels .
RUN python -m venv --without-pip /opt/pulsegate && \
    /opt/build/bin/pip --python /opt/pulsegate/bin/python install --no-cache-dir --no-index --no-deps /wheels/*.whl

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Pulsegate" \
      org.opencontainers.image.description="A TAXII 1.1 server that republishes AlienVault OTX pulses" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --system --gid 10001 pulsegate && \
    useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin pulsegate && \
    install -d -m 0700 -o pulsegate -g pulsegate /data && \
    install -d /etc/pulsegate && \
    rm -rf /usr/local/lib/python3.*/site-packages/pip* /usr/local/lib/python3.*/ensurepip /usr/local/bin/pip*
COPY --from=build /opt/pulsegate /opt/pulsegate
COPY opentaxii.yml /etc/pulsegate/opentaxii.yml
ENV PATH=/opt/pulsegate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PULSEGATE_CONFIG=/etc/pulsegate/opentaxii.yml \
    PULSEGATE_DATA_DIR=/data \
    PULSEGATE_HOST=0.0.0.0
WORKDIR /data
USER 10001:10001
VOLUME /data
EXPOSE 9000
STOPSIGNAL SIGTERM
# Whether the process answers, not whether the feed is fresh or the database is there (/readyz): who starts unhealthy
# containers again would only make an outage of the database longer. A proxy asks /readyz.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9000/healthz', timeout=4)"]
CMD ["pulsegate", "serve"]
