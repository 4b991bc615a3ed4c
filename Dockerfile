# One image for all processes: docker-compose.yml says which of them a container runs.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin crossbook \
    && install -d -o crossbook -g crossbook /var/lib/crossbook /var/lib/crossbook/data \
        /var/lib/crossbook/history /var/lib/crossbook/keys

WORKDIR /opt/crossbook
COPY requirements requirements
# What is pinned, with hashes, and nothing else; a layer of its own, which new code leaves alone.
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes \
        -r requirements/postgres.txt \
    && pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes \
        -r requirements/page.txt
COPY pyproject.toml README.md LICENSE instruments.toml ./
# Pure Python: the image has no compiler. docs/figures.md has the effect of compiling.
COPY common common
COPY crossbook crossbook
COPY docs/guide/binance docs/guide/binance
COPY gateway gateway
COPY matcher matcher
COPY publisher publisher
COPY recorder recorder
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

USER crossbook
WORKDIR /var/lib/crossbook
ENV PYTHONUNBUFFERED=1 \
    INSTRUMENTS_FILE=/opt/crossbook/instruments.toml \
    DATA_DIR=/var/lib/crossbook/data \
    LOG_FORMAT=json

CMD ["crossbook", "--help"]
