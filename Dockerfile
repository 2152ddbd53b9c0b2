# One base for every stage. A digest pins it to the byte: --build-arg NODE_IMAGE=node@sha256:…
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

# What runs: no tools of development, no mongod for the demo, nothing that only a debugger or an editor reads. Licences stay.
FROM ${NODE_IMAGE} AS modules
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
  && find node_modules -type f ! -iname 'licen[cs]e*' ! -iname 'notice*' ! -iname 'copying*' \
  \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.md' -o -name '*.markdown' \) -delete \
  && find node_modules -type d -empty -delete

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/build.mjs
COPY src src
COPY streams streams
RUN npm run build && find dist -name '*.map' -delete

FROM ${NODE_IMAGE}
# Half of what the container may use, for the heap of each thread; without a limit, of the machine's memory (docs/image.md).
ENV NODE_ENV=production NODE_OPTIONS=--max-old-space-size-percentage=50
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=modules /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY bin bin
# what alerts link to, for whoever has nothing but the cluster at night
COPY docs/runbook.md docs/
# node; by number, so that an orchestrator can tell that it is not root
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "bin/health.js"]
ENTRYPOINT ["node", "bin/communication-base.js"]
CMD ["worker"]

# Last, so that a new version rebuilds nothing above.
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="communication-base" \
  org.opencontainers.image.description="Worker-only messaging campaign engine: MongoDB collections are its API" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
