// An engine that builds and runs the image: Docker where there is one, else buildah and podman without any daemon.
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const nodeImage = /^ARG NODE_IMAGE=node:([\d.]+)-(\w+)-slim$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'));
if (!nodeImage) throw new Error('Dockerfile: ARG NODE_IMAGE does not name node:<version>-<Debian>-slim');
const [, nodeVersion, debian] = nodeImage;

/** Runs a program; resolves with `{ status, stdout, stderr }`, rejects with all it said where it fails, unless `check` is false. */
export function run(command, args, { check = true, ...options } = {}) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1e8, ...options }, (error, stdout, stderr) => {
      const status = error ? (error.code ?? 1) : 0;
      if (!error || !check) resolve({ status, stdout, stderr });
      else reject(new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`));
    });
  });
}

export const works = async (command, ...args) => (await run(command, args, { check: false })).status === 0;

/** Flags with which a container runs as it should in production; `memory` as the engine takes it (`256m`). */
const hardened = (memory) => [
  ...['--network', 'host', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '-m', memory],
];

/** `{ name, build(tag, args), engine(...args), flags(memory) }`; throws with what to install when there is none. */
export async function findEngine() {
  if (await works('docker', 'info')) {
    return {
      name: 'docker',
      build: (tag, args) => run('docker', ['build', '--network', 'host', ...buildArgs(args), '-t', tag, '.']),
      engine: (args, options) => run('docker', args, options),
      flags: hardened,
    };
  }
  for (const tool of ['buildah', 'podman', 'debootstrap'])
    if (!(await works(tool, '--version')))
      throw new Error('neither Docker nor buildah: apt-get install buildah podman runc netavark debootstrap');
  const podman = [...storage(), '--cgroup-manager', 'cgroupfs', '--runtime', 'runc'];
  return {
    name: 'buildah and podman',
    async build(tag, args) {
      const all = buildArgs({ NODE_IMAGE: await localBase(), ...args });
      const how = ['--isolation', 'chroot', '--pull-never', '--network', 'host', '--format', 'docker'];
      return buildah('bud', ...how, ...all, '-t', tag, '.');
    },
    engine: (args, options) => run('podman', [...podman, ...args], options),
    // What the machine allows a process is less than what podman asks for by itself.
    flags: (memory) => [...hardened(memory), '--ulimit', 'nofile=1024:4096', '--ulimit', 'nproc=1024:1024'],
  };
}

const buildArgs = (args) => Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
/** Whoever names a storage.conf decides where images are, and how. */
const storage = () => (process.env.CONTAINERS_STORAGE_CONF ? [] : ['--storage-driver', 'vfs']);
export const buildah = (...args) => run('buildah', [...storage(), ...args]);

/**
 * An image like the base of the Dockerfile, for where no registry of images can be reached: the same Debian by
 * debootstrap, the same Node from npm, npm of this machine, user 1000. Made once. Returns its name.
 */
async function localBase() {
  const name = `localhost/communication-base-node:${nodeVersion}-${debian}-slim`;
  if (await works('buildah', ...storage(), 'inspect', name)) return name;
  const folder = mkdtempSync(join(tmpdir(), 'communication-base-image-'));
  try {
    const rootfs = join(folder, 'rootfs');
    await run('debootstrap', ['--variant=minbase', '--include=ca-certificates', debian, rootfs]);
    const npm = dirname(dirname(realpathSync((await run('which', ['npm'])).stdout.trim())));
    await run('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', `node@${nodeVersion}`]);
    cpSync(join(folder, 'node_modules/node/bin/node'), join(rootfs, 'usr/local/bin/node'));
    cpSync(npm, join(rootfs, 'usr/local/lib/node_modules/npm'), { recursive: true });
    symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(rootfs, 'usr/local/bin/npm'));
    writeFileSync(join(rootfs, 'etc/passwd'), 'node:x:1000:1000::/home/node:/bin/bash\n', { flag: 'a' });
    writeFileSync(join(rootfs, 'etc/group'), 'node:x:1000:\n', { flag: 'a' });
    rmSync(join(rootfs, 'var/cache/apt'), { recursive: true, force: true });
    rmSync(join(rootfs, 'var/lib/apt/lists'), { recursive: true, force: true });
    const settings = ['--env', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];
    const { NODE_EXTRA_CA_CERTS: bundle } = process.env;
    if (bundle) {
      cpSync(realpathSync(bundle), join(rootfs, 'etc/ssl/machine.crt'));
      settings.push('--env', 'NODE_EXTRA_CA_CERTS=/etc/ssl/machine.crt');
    }
    const container = (await buildah('from', 'scratch')).stdout.trim();
    await buildah('copy', '-q', container, rootfs, '/');
    await buildah('config', ...settings, container);
    await buildah('commit', '--rm', '--format', 'docker', container, name);
    return name;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
