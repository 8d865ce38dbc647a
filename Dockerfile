# Two stages: packages are built with what building needs, the image that runs holds none of it.
# It holds no embedded servers and no style guide: requirements/base.txt and .dockerignore leave them out. Of dev/ it
# holds the demonstration alone, for sites that are shown around.

FROM python:3.11-slim-bookworm AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
COPY requirements/base.txt /requirements.txt
RUN /venv/bin/pip install --require-hashes -r /requirements.txt


FROM python:3.11-slim-bookworm

ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=mitxonline.settings.production \
    MEDIA_ROOT=/data/media

RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin app \
    && install -d -o app -g app /app /data /data/media

COPY --from=build /venv /venv
WORKDIR /app
COPY . /app

# Collecting static files reads settings, and settings refuse to be incomplete; none of these values stays.
RUN SECRET_KEY=build-only ALLOWED_HOSTS=build DATABASE_URL=postgres://build/build \
    REDIS_URL=redis://build SITE_BASE_URL=https://build.invalid \
    python manage.py collectstatic --no-input

USER app
VOLUME /data
EXPOSE 8000

# Asked from inside over plain HTTP; production answers this address without redirecting to TLS.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "mitxonline.healthcheck"]

CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "4", "--no-ws", "--workers-kill-timeout", "30", "--respawn-failed-workers", \
     "mitxonline.wsgi:application"]
