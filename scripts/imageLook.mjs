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

  const inside = async (script) =>
    (await engine(['run', '--rm', ...hardened, '--entrypoint', 'node', tag, '-e', script])).stdout.trim();
  const status = await inside(`console.log(fs.readFileSync('/proc/self/status', 'utf8'))`);
  expect('capabilities', /CapEff:\s*(\w+)/.exec(status)[1], '0000000000000000');
  expect('no new privileges', /NoNewPrivs:\s*(\d)/.exec(status)[1], '1');
  expect('runs as', await inside('console.log(process.getuid(), process.getgid())'), '1000 1000');
  expect(
    'a write',
    await inside(`try { fs.writeFileSync('/app/x', '') } catch ({ code }) { console.log(code) }`),
    'EROFS',
  );
  const [thread, main] = (await inside(heaps)).split('\n');
  expect(`heap of a thread in ${memory}, MB`, thread, /^1[2-4]\d$/);
  expect(`heap of the main thread in ${memory}, MB`, main, /^1[2-4]\d$/);
  expect('files of development in it', await inside(development), '0');
}

const heaps = `
  const limit = 'Math.round(require("v8").getHeapStatistics().heap_size_limit / 2 ** 20)';
  new worker_threads.Worker('console.log(' + limit + ')', { eval: true }).on('exit', () => console.log(eval(limit)))`;

const development = `
  const found = fs.readdirSync('/app', { recursive: true }).filter((file) =>
    /\\.(map|[mc]?ts)$|^node_modules.(typescript|jest|mongodb-memory-server|@swc|@biomejs)/.test(file));
  console.log(found.length)`;
