// A collector that takes every span and keeps none, and what makes a worker export to it.
import { once } from 'node:events';
import { createServer } from 'node:http';

/** `share` of the conversations, 0 to 1; undefined: no traces. */
export async function startCollector(share) {
  if (share === undefined) return { env: {}, taken: () => undefined, close: () => {} };
  let bytes = 0;
  const server = createServer((request, response) => {
    request.on('data', (chunk) => {
      bytes += chunk.length;
    });
    request.on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.address().port}`,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: String(share),
  };
  return { env, taken: () => bytes, close: () => void server.close().closeAllConnections() };
}
