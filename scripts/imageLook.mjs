// What an image says of itself, and what is true inside it when it runs.

/** Tells `expect` of everything; `hardened` are the flags that its containers run with. */
export async function lookAtImage({ engine, hardened, tag, memory, version, revision, say, expect }) {
  const [image] = JSON.parse((await engine(['image', 'inspect', tag])).stdout);
  const { User: user, Labels: labels, Healthcheck: check = image.Healthcheck } = image.Config;
  say(`       ${(image.Size / 1e6).toFixed(0)} MB unpacked`);
  expect('user', user, '1000:1000');
  expect('label version', labels['org.opencontainers.image.version'], version);
  expect('label revision', labels['org.opencontainers.image.revision'], revision);
  expect('declared health check', JSON.stringify(check?.Test), '["CMD","node","bin/health.js"]');

  const script = ['--entrypoint', 'node', tag, '-e', inside];
  const found = JSON.parse((await engine(['run', '--rm', ...hardened, ...script])).stdout);
  expect('capabilities', /CapEff:\s*(\w+)/.exec(found.status)[1], '0000000000000000');
  expect('no new privileges', /NoNewPrivs:\s*(\d)/.exec(found.status)[1], '1');
  expect('runs as', found.ids, '1000 1000');
  expect('a write', found.write, 'EROFS');
  expect(`heap of the main thread in ${memory}, MB`, found.main, /^1[2-4]\d$/);
  expect(`heap of another thread in ${memory}, MB`, found.thread, /^1[2-4]\d$/);
  expect('files of development in it', found.development, '');
  expect('what alerts link to', found.runbook, /^# Runbook/);
}

/** Runs in a container, all at once: a container takes long to make where each is a copy of the image. */
const inside = `
  const found = { status: fs.readFileSync('/proc/self/status', 'utf8'), ids: process.getuid() + ' ' + process.getgid() };
  try { fs.writeFileSync('/app/x', ''); } catch ({ code }) { found.write = code; }
  const kinds = /\\.(map|[mc]?ts)$|^node_modules.(typescript|jest|mongodb-memory-server|@swc|@biomejs)$/;
  found.development = fs.readdirSync('/app', { recursive: true }).filter((file) => kinds.test(file)).join(' ');
  found.runbook = fs.readFileSync('docs/runbook.md', 'utf8').split('\\n')[0];
  const limit = 'Math.round(require("v8").getHeapStatistics().heap_size_limit / 2 ** 20)';
  found.main = eval(limit);
  new worker_threads.Worker('require("worker_threads").parentPort.postMessage(' + limit + ')', { eval: true })
    .on('message', (thread) => console.log(JSON.stringify({ ...found, thread })));`;
