# One image for both planes: `checkrein gateway` (the default) or `checkrein controlplane`.
# It holds no secret and no state: keys come by environment or file, and everything that is written
# lies under /var/lib/checkrein, so that the root file system can be read-only.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# --- build: the wheel and its dependencies, in an environment that is copied whole ----------------
FROM ${PYTHON_IMAGE} AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY gateway ./gateway
COPY controlplane ./controlplane
COPY mappers ./mappers
COPY policies ./policies
RUN python -m venv /opt/checkrein \
    && /opt/checkrein/bin/pip install --no-cache-dir --disable-pip-version-check .

# --- run: Python, that environment, and a user without rights --------------------------------------
FROM ${PYTHON_IMAGE} AS run
COPY --from=build /opt/checkrein /opt/checkrein
# The number, not the name, is what Kubernetes' runAsNonRoot can check.
RUN groupadd --gid 10001 checkrein \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/checkrein \
        --shell /usr/sbin/nologin checkrein \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/checkrein \
    # A new volume takes over the owner of the folder that it hides; agents read their CA here.
    && install --directory --owner=10001 --group=10001 --mode=0755 /trust
ENV PATH=/opt/checkrein/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CHECKREIN_DATA_DIR=/var/lib/checkrein \
    CHECKREIN_PROXY_HOST=0.0.0.0 \
    CHECKREIN_METRICS_HOST=0.0.0.0 \
    CHECKREIN_API_HOST=0.0.0.0 \
    HEALTH_URL=http://127.0.0.1:9090/healthz
USER 10001:10001
VOLUME /var/lib/checkrein
# Proxy, API and dashboard, metrics.
EXPOSE 3128 8080 9090
# The control plane answers on 8080: run it with HEALTH_URL=http://127.0.0.1:8080/healthz.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(os.environ['HEALTH_URL'], timeout=2)"]
ENTRYPOINT ["checkrein"]
CMD ["gateway"]
