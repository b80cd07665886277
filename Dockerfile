# Pulsegate in a container: no root, nothing written outside /data, no secret in the image.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements.txt ./
RUN python -m venv /opt/pulsegate && /opt/pulsegate/bin/pip install --no-cache-dir -r requirements.txt
COPY pyproject.toml README.md ./
COPY src ./src
COPY migrations ./migrations
RUN /opt/pulsegate/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /data pulsegate && install -d -m 700 -o pulsegate /data && install -d /etc/pulsegate
COPY --from=build /opt/pulsegate /opt/pulsegate
COPY opentaxii.yml /etc/pulsegate/opentaxii.yml
ENV PATH=/opt/pulsegate/bin:$PATH \
    PULSEGATE_CONFIG=/etc/pulsegate/opentaxii.yml \
    PULSEGATE_DATA_DIR=/data \
    PULSEGATE_HOST=0.0.0.0
USER pulsegate
VOLUME /data
EXPOSE 9000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9000/healthz', timeout=4)"]
CMD ["pulsegate", "serve"]
