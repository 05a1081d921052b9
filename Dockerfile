# Any base with Python 3.11 or newer and its venv module; a Debian root file system with python3-venv will do.
ARG BASE_IMAGE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS dependencies
# Where packages come from and whom to trust, for networks that need it: as build arguments, or the authority as the
# secret pip-cert. Nothing of them stays in the image.
ARG PIP_INDEX_URL
ARG PIP_CERT
ARG PIP_DEFAULT_TIMEOUT=60
RUN python3 -m venv /opt/headgate
COPY requirements/runtime.lock /tmp/runtime.lock
# The asynchronous twin inside the kubernetes package is larger than everything of it that is used.
RUN --mount=type=secret,id=pip-cert \
    if [ -s /run/secrets/pip-cert ]; then export PIP_CERT=/run/secrets/pip-cert; fi \
 && /opt/headgate/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/runtime.lock \
 && rm -r /opt/headgate/lib/python3*/site-packages/kubernetes/aio \
 && /opt/headgate/bin/pip uninstall --yes --quiet setuptools pip

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="headgate" \
      org.opencontainers.image.description="A Kubernetes operator for multi-tenant workflows" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=dependencies /opt/headgate /opt/headgate
# The source comes last: a change in it rebuilds this layer only.
COPY operator/headgate /opt/headgate/source/headgate
COPY pyproject.toml /opt/headgate/source/pyproject.toml
ENV HOME=/tmp \
    USER=headgate \
    PATH=/opt/headgate/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/headgate/source \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# What installing the package would do, without its build tools: the command, its version, and compiled modules. The
# user needs a name: libraries ask for it.
RUN echo 'headgate:x:65532:65532:Headgate:/tmp:/usr/sbin/nologin' >> /etc/passwd \
 && printf '#!/opt/headgate/bin/python\nimport sys\n\nfrom headgate.cli.entry import main\n\nsys.exit(main())\n' \
      > /opt/headgate/bin/headgate \
 && chmod 0755 /opt/headgate/bin/headgate \
 && version="$(sed -n 's/^version = "\(.*\)"$/\1/p' /opt/headgate/source/pyproject.toml)" \
 && mkdir "/opt/headgate/source/headgate-${version}.dist-info" \
 && printf 'Metadata-Version: 2.1\nName: headgate\nVersion: %s\n' "${version}" \
      > "/opt/headgate/source/headgate-${version}.dist-info/METADATA" \
 && /opt/headgate/bin/python -m compileall -q /opt/headgate/source \
 && /opt/headgate/bin/python -c 'import headgate.cli.entry, headgate.cli.main, headgate.gateway.serve, headgate.operate, headgate.runner.__main__, headgate.runner.alone, headgate.store.migrate'
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["headgate"]
