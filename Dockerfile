# The command line and the worker. Debian and not Alpine: the Temporal SDK's native module needs glibc.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No install script is needed: those of protobufjs and @swc/core only check, and the dev dependency `node` is this image's own.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/copy-browser-files.ts scripts/
COPY src src
COPY workflows workflows
COPY activities activities
COPY examples examples
# The SDK brings its native module for five platforms, 140 MB.
RUN npm run build \
  && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
  && find node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 \
    ! -name "$(uname -m)-unknown-linux-gnu" -exec rm -r {} +

FROM node:24-bookworm-slim
# The native module checks a Temporal server's TLS certificate against the system's authorities, which the slim image lacks.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
COPY bin bin
COPY examples/documents examples/documents
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
ENTRYPOINT ["node", "/app/bin/durable-extract.js"]
CMD ["--help"]
