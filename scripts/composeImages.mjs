// Images by the very names of docker-compose.yml, for where no registry of images can be reached: the programs of this machine with
// the libraries they load and a busybox, from scratch. What the compose file says (commands, users, mounts, health checks) is what is
// tried with them, not what the makers of the images put in.
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { parse } from 'yaml';
import { buildah, run, works } from './imageEngine.mjs';
import { findMongod } from './mongod.mjs';

const root = new URL('..', import.meta.url).pathname;
const mongosh = 'mongosh@2.12.0';

/** How each program that is needed may be had. */
const howToGet = {
  'docker-compose': 'build github.com/docker/compose/v2/cmd@v2.40.3',
  jaeger: 'build github.com/jaegertracing/jaeger/cmd/jaeger@v1.76.0',
  mailpit: 'go install github.com/axllent/mailpit@v1.27.11',
  prometheus: 'apt-get install prometheus',
  busybox: 'apt-get install busybox',
  ...Object.fromEntries(
    ['buildah', 'podman', 'runc', 'netavark', 'aardvark-dns', 'iptables', 'debootstrap'].map((name) => [
      name,
      `apt-get install ${name}`,
    ]),
  ),
  ip: 'apt-get install iproute2',
};

const find = (name) =>
  ['/usr/lib/podman', '/usr/libexec/podman', '/usr/sbin', ...(process.env.PATH ?? '').split(delimiter)]
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));

/** What this machine lacks, as sentences. */
export const lacks = () =>
  Object.entries(howToGet)
    .filter(([name]) => !find(name))
    .map(([name, how]) => `there is no ${name}: ${how}`)
    .concat(process.getuid() === 0 ? [] : ['this is not root']);

/** The compose file as it is written, profiles and all. */
export const composeFile = () =>
  parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true, strict: true });

/** Puts a program at `path` of a root, and every library that it loads where it looks for it. */
async function install(rootfs, program, path) {
  cpSync(realpathSync(program), join(rootfs, path));
  const { stdout } = await run('ldd', [program], { check: false });
  for (const [file] of stdout.matchAll(/\/\S+(?= \(0x)/g)) {
    mkdirSync(join(rootfs, dirname(file)), { recursive: true });
    cpSync(realpathSync(file), join(rootfs, file));
  }
}

/** A root with a shell, wget and folders that are mounted over. */
async function fillRoot(rootfs) {
  for (const part of ['bin', 'etc', 'tmp', 'usr/bin']) mkdirSync(join(rootfs, part), { recursive: true });
  // What is mounted over it takes its rights.
  chmodSync(join(rootfs, 'tmp'), 0o1777);
  await install(rootfs, find('busybox'), 'bin/busybox');
  for (const tool of ['sh', 'wget', 'cat', 'ls', 'touch', 'httpd']) symlinkSync('busybox', join(rootfs, 'bin', tool));
  writeFileSync(join(rootfs, 'etc/nsswitch.conf'), 'hosts: files dns\n');
}

/** A folder of the image that a volume begins as. */
async function owned(rootfs, path, owner) {
  mkdirSync(join(rootfs, path), { recursive: true });
  await run('chown', ['-R', owner, join(rootfs, path)]);
}

/** By repository: fills a root, and says what the image is told. */
const makers = {
  async mongo(rootfs) {
    await install(rootfs, await findMongod(), 'usr/bin/mongod');
    await install(rootfs, process.execPath, 'usr/bin/node');
    await run('npm', ['install', '--prefix', join(rootfs, 'opt'), '--no-audit', '--no-fund', '--no-save', mongosh]);
    const start = 'exec node /opt/node_modules/mongosh/bin/mongosh.js "$@"';
    writeFileSync(join(rootfs, 'usr/bin/mongosh'), `#!/bin/sh\n${start}\n`, { mode: 0o755 });
    await owned(rootfs, 'data/db', '999:999');
    return ['--volume', '/data/db'];
  },
  async 'axllent/mailpit'(rootfs) {
    await install(rootfs, find('mailpit'), 'mailpit');
    return ['--entrypoint', '["/mailpit"]'];
  },
  async 'jaegertracing/jaeger'(rootfs) {
    mkdirSync(join(rootfs, 'cmd/jaeger'), { recursive: true });
    await install(rootfs, find('jaeger'), 'cmd/jaeger/jaeger-linux');
    return ['--user', '10001', '--entrypoint', '["/cmd/jaeger/jaeger-linux"]'];
  },
  async 'prom/prometheus'(rootfs) {
    await install(rootfs, find('prometheus'), 'bin/prometheus');
    await owned(rootfs, 'prometheus', '65534:65534');
    return ['--user', '65534', '--workingdir', '/prometheus', '--entrypoint', '["/bin/prometheus"]'];
  },
  /** Nothing but a page where its health is asked for: no registry of packages has the program. */
  async 'grafana/grafana'(rootfs) {
    mkdirSync(join(rootfs, 'www/api'), { recursive: true });
    writeFileSync(join(rootfs, 'www/api/health'), '{"standIn":true}');
    return ['--user', '472', '--entrypoint', '["/bin/httpd","-f","-p","3000","-h","/www"]'];
  },
};

/** Makes every image that docker-compose.yml names and does not build. Those that are there already stay. */
export async function makeImages() {
  const images = new Set(
    Object.values(composeFile().services)
      .filter(({ build }) => !build)
      .map(({ image }) => image),
  );
  for (const image of images) {
    const [repository] = image.split(':');
    const make = makers[repository];
    if (!make) throw new Error(`scripts/composeImages.mjs: there is no stand-in for ${image}`);
    const name = `docker.io/${repository.includes('/') ? '' : 'library/'}${image}`;
    if (await works('buildah', 'inspect', name)) continue;
    const container = (await buildah('from', 'scratch')).stdout.trim();
    const rootfs = (await buildah('mount', container)).stdout.trim();
    await fillRoot(rootfs);
    const settings = await make(rootfs);
    await buildah('config', '--env', 'PATH=/usr/bin:/bin', ...settings, container);
    await buildah('commit', '-q', '--rm', '--format', 'docker', container, name);
  }
}
