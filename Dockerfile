# One image for every process; docker-compose.yml says which command each service runs.
FROM python:3.12-slim-bookworm AS build
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1
COPY requirements-uv.txt requirements.txt requirements-scanner.txt ./
COPY client client
RUN pip install --require-hashes -r requirements-uv.txt \
 && python -m venv .venv && uv pip install -p .venv/bin/python --require-hashes -r requirements.txt \
 && uv pip install -p .venv/bin/python --no-deps ./client \
 && python -m venv .venv-scanner && uv pip install -p .venv-scanner/bin/python --require-hashes -r requirements-scanner.txt

FROM python:3.12-slim-bookworm
WORKDIR /app
RUN useradd --uid 10001 --no-create-home --home-dir /data infra-mind && install -d -o infra-mind -g infra-mind -m 700 /data
COPY --from=build /app/.venv .venv
COPY --from=build /app/.venv-scanner .venv-scanner
COPY . .
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 INFRA_MIND_HOME=/data STATIC_ROOT=/app/staticfiles
RUN python -m compileall -q accounts assessments infra_mind tasks_ui \
 && .venv-scanner/bin/python assessments/scan/scanner/bicep_grammar.py \
 && SECRET_KEY=only-to-collect-files DATABASE_URL=postgresql://none/none REDIS_URL=redis://none/0 \
    python manage.py collectstatic --noinput --verbosity 0
USER infra-mind
EXPOSE 8000
CMD ["daphne", "-b", "0.0.0.0", "-p", "8000", "--no-server-name", "-v", "0", "infra_mind.asgi:application"]
