// Docker Compose over podman, for where there is no Docker engine. All of it runs in namespaces of its own (network, mounts, processes),
// so that no rule of a firewall, no port and no process of it is left on the machine.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { composeFile } from './composeImages.mjs';
import { run, works } from './imageEngine.mjs';
import { until } from './imageWorld.mjs';

const pauseMs = 1_500;

/** Where podman and buildah keep everything, and what they run with; for this process and all it starts. */
export async function settle(folder) {
  for (const part of ['storage', 'run', 'networks']) mkdirSync(join(folder, part), { recursive: true });
  const driver = (await overlays(folder)) ? 'overlay' : 'vfs';
  const lines = [`driver = "${driver}"`, `graphroot = "${folder}/storage"`, `runroot = "${folder}/run"`];
  writeFileSync(join(folder, 'storage.conf'), `[storage]\n${lines.join('\n')}\n`);
  const engine = ['runtime = "runc"', 'cgroup_manager = "cgroupfs"', 'events_logger = "file"'];
  // The default back end of older ones finds no service by its name.
  const network = ['network_backend = "netavark"', `network_config_dir = "${folder}/networks"`];
  const text = `[engine]\n${engine.join('\n')}\n[network]\n${network.join('\n')}\n`;
  writeFileSync(join(folder, 'containers.conf'), text);
  process.env.CONTAINERS_STORAGE_CONF = join(folder, 'storage.conf');
  process.env.CONTAINERS_CONF = join(folder, 'containers.conf');
  return driver;
}

/** Whether the kernel takes the file system by which containers share the files of their image; else each is a copy. */
async function overlays(folder) {
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((part) => join(folder, 'try', part));
  for (const part of [lower, upper, work, merged]) mkdirSync(part, { recursive: true });
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  const mounted = await works('mount', '-t', 'overlay', 'overlay', '-o', options, merged);
  if (mounted) await run('umount', [merged]);
  rmSync(join(folder, 'try'), { recursive: true });
  return mounted;
}

/** Runs a program of this folder in namespaces of its own, where /run is empty; resolves with its exit code. */
export async function runApart(program, env) {
  const script = [
    'mount -t tmpfs tmpfs /run',
    'mount -t tmpfs -o mode=1777 tmpfs /dev/shm',
    'ip link set lo up',
    // Nobody answers to other names there: said at once, instead of after a time.
    'echo nameserver 127.0.0.1 >/run/resolv.conf',
    'mount --bind /run/resolv.conf /etc/resolv.conf',
    '"$@"',
    'code=$?',
    'exit $code',
  ].join('\n');
  const apart = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const child = spawn('unshare', [...apart, 'sh', '-ec', script, 'sh', process.execPath, program], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill('SIGKILL'));
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

/** podman's service on a socket in `folder`, and its health checks, which need a systemd to fire by themselves. */
export async function startService(folder) {
  const socket = join(folder, 'podman.sock');
  rmSync(socket, { force: true });
  // Without a systemd it has much to complain of: heard only by who asks for it.
  const { PODMAN_LOG_LEVEL: level } = process.env;
  const child = spawn('podman', ['--log-level', level ?? 'error', 'system', 'service', '-t', '0', `unix://${socket}`], {
    stdio: ['ignore', 'ignore', level ? 'inherit' : 'ignore'],
  });
  const get = (path) => ask(socket, path);
  await until('the service of podman', () => get('/_ping').catch(() => false));
  const stopped = new AbortController();
  const checks = checkHealth(get, stopped.signal);
  const override = join(folder, 'override.json');
  // What the machine allows a process is less than what podman asks for by itself.
  const ulimits = { nofile: { soft: 1024, hard: 4096 }, nproc: { soft: 1024, hard: 1024 } };
  const services = Object.keys(composeFile().services).map((name) => [name, { ulimits }]);
  writeFileSync(override, JSON.stringify({ services: Object.fromEntries(services) }));
  return {
    env: { ...process.env, DOCKER_HOST: `unix://${socket}` },
    override,
    async stop() {
      stopped.abort();
      await checks;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** Resolves with what a GET of the API answers, parsed where it is JSON; undefined for an error. */
function ask(socketPath, path) {
  return new Promise((resolve, reject) => {
    request({ socketPath, path }, async (answer) => {
      let text = '';
      for await (const chunk of answer.setEncoding('utf8')) text += chunk;
      if (answer.statusCode !== 200) resolve(undefined);
      else resolve(text.startsWith('[') || text.startsWith('{') ? JSON.parse(text) : text);
    })
      .once('error', reject)
      .end();
  });
}

/** Every container's own check, again and again; one without answers with an error, which does no harm. */
async function checkHealth(get, signal) {
  const busy = new Set();
  while (!signal.aborted) {
    const running = (await get('/v4.0.0/libpod/containers/json').catch(() => undefined)) ?? [];
    for (const { Id: id } of running.filter((container) => !busy.has(container.Id))) {
      busy.add(id);
      void get(`/v4.0.0/libpod/containers/${id}/healthcheck`)
        .catch(() => undefined)
        .then(() => busy.delete(id));
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
