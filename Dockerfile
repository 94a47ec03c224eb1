# The product without the sandbox: one image, the process is chosen by its command (docker-compose.yml).
FROM python:3.13-slim AS packages
COPY requirements.txt requirements-s3.txt ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt
# For files in an S3 bucket (docs/operations.md): --build-arg S3=1
ARG S3=
RUN if [ -n "$S3" ]; then /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements-s3.txt; fi

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --home-dir /app crm && install -d -o crm -g crm /app/media
COPY --from=packages /venv /venv
WORKDIR /app
COPY . .
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STATIC_ROOT=/app/static \
    MEDIA_ROOT=/app/media \
    HEARTBEAT_DIR=/tmp/heartbeats
# The settings ask for these; collecting files uses none of them, and none stays in the image.
RUN SECRET_KEY=only-for-collecting-static-files-in-the-build ENCRYPTION_KEYS= \
    DATABASE_URL=postgres://nobody@localhost/none REDIS_URL=redis://localhost \
    python manage.py collectstatic --noinput --verbosity 0
USER crm
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "1", \
    "--blocking-threads", "8", "--no-ws", "crm_whatsapp.wsgi:application"]
