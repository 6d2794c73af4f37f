# The daemon and its command line. Without BuildKit too: nothing here is of its own syntax.
#
#   docker build -t longhaul .
#
# Where no registry is reachable, another base with Node 24 (and, for the stage that builds, npm) will do.
ARG NODE_IMAGE=node:24-bookworm-slim

# To JavaScript: it starts in half the time of the sources, and takes a quarter less memory.
FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
# No package here needs its install script to run: `node` would bring another Node, ssh2 build an addon.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY adapters adapters
COPY examples/demo examples/demo
RUN node node_modules/typescript/bin/tsc -p tsconfig.build.json --declaration false \
  && chmod 755 dist/src/cli/main.js

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /opt/longhaul
COPY --from=build /build/package.json ./
COPY --from=dependencies /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY schema schema
COPY examples/demo/tasks examples/demo/tasks
COPY CHANGELOG.md LICENSE ./
RUN ln -s /opt/longhaul/dist/src/cli/main.js /usr/local/bin/longhaul \
  && mkdir -p /etc/longhaul/tasks /var/lib/longhaul \
  && chown 1000:1000 /var/lib/longhaul

# Not a folder with a config/ of its own in it: the daemon's file is /etc/longhaul/longhaul.yml.
WORKDIR /var/lib/longhaul

# Nobody in particular, and no capabilities are needed; the root file system may be read-only, with a volume
# on /var/lib/longhaul for what the embedded parts keep, and a tmpfs on /tmp. What must reach a Docker socket
# names another user: docs/deployment.md says which.
USER 1000:1000

# On SIGTERM it gives its messages back and exits within 10 s. Tasks go on.
STOPSIGNAL SIGTERM
EXPOSE 8420
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(new URL('/healthz', process.env.LONGHAUL_URL ?? 'http://127.0.0.1:8420')).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node is process 1 and gets the signal itself; it starts no others here, so none need reaping.
ENTRYPOINT ["node", "/opt/longhaul/dist/src/cli/main.js"]
CMD ["run"]
