# syntax=docker/dockerfile:1
# One image for migrations, workers, the rate API, the pages and the command line: the product's own dependencies, none of the demo's (1 GB less).
FROM python:3.11.14-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

FROM base AS dependencies
# uv, unlike pip, takes exact versions and hashes for pyproject's dependencies from the lock of all extras.
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /app
COPY pyproject.toml requirements.lock ./
RUN uv venv /venv && \
    uv pip install --no-cache --python /venv/bin/python --require-hashes -r pyproject.toml -c requirements.lock

FROM base
RUN useradd --system --uid 10001 --home-dir /app tieout && mkdir -p /app/.tieout && chown tieout /app/.tieout
WORKDIR /app
COPY --from=dependencies /venv /venv
COPY models ./models
COPY billing ./billing
COPY activities ./activities
COPY workflows ./workflows
COPY adapters ./adapters
COPY runtime ./runtime
COPY workers ./workers
COPY cli ./cli
COPY api ./api
COPY web ./web
COPY migrations ./migrations
COPY devstack/__init__.py devstack/buckets.py ./devstack/
# An application run from its root: its rooms come before any stranger's package of the same name.
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app
USER tieout
CMD ["python", "-m", "workers.main"]
