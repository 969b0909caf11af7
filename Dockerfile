# A run over HTTP: docker build -t aerec . && docker run -p 8000:8000 -v "$PWD/run:/srv/run:ro" aerec
# See docs/how-to/serve.md.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/aerec
ENV PATH="/opt/aerec/bin:$PATH"
COPY constraints.txt ./
# PyTorch without CUDA is far smaller: --build-arg PIP_EXTRA_INDEX_URL=<PyTorch's index of CPU builds>
ARG PIP_EXTRA_INDEX_URL
RUN pip install -c constraints.txt torch
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY datasets datasets
COPY src src
RUN pip install -c constraints.txt '.[serve]'

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home aerec
COPY --from=build /opt/aerec /opt/aerec
ENV PATH="/opt/aerec/bin:$PATH" PYTHONUNBUFFERED=1
USER 10001
WORKDIR /srv
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["aerec"]
# give a token to others than yourself: docker run -e AEREC_TOKEN=…
CMD ["serve", "/srv/run", "--host", "0.0.0.0", "--port", "8000"]
