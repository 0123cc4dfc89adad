# soak as a container: `docker build -t soak-runner .`, then
# `docker run --rm --init -v "$PWD:/work" -u "$(id -u):$(id -g)" soak-runner run scenarios/72h.yaml`.
ARG PYTHON=3.13-slim-bookworm

FROM python:${PYTHON} AS build
# What a run may need beside simulations: `--build-arg EXTRAS=all`.
ARG EXTRAS=http,notify,export
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src/ src/
COPY schemas/ schemas/
COPY simulation/ simulation/
COPY runner/ runner/
COPY reports/ reports/
COPY systems/ systems/
COPY scenarios/ scenarios/
COPY gates/ gates/
# A compiler for this stage alone: the libraries are put into the package.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
RUN python -m venv /opt/soak \
    && /opt/soak/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".[${EXTRAS}]" \
    && /opt/soak/bin/python -m soak.simulation.compiled --into-package \
    && /opt/soak/bin/pip uninstall --yes --quiet pip

FROM python:${PYTHON}
COPY --from=build /opt/soak /opt/soak
# A user without rights or a home; what is cached is gone with the container.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin soak \
    && install --directory --owner soak /work
ENV PATH=/opt/soak/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib
USER 10001
WORKDIR /work
ENTRYPOINT ["soak"]
CMD ["--help"]
