// Passwords that the chart makes, on a real API server: made once, kept, and never made anew where that would lock somebody out.

/**
 * `cluster`: `{ helm, api, at, get, must }`; `asked`: chart and flags of the release; `secret`: its name; `holds`: the kind of what holds
 * the data; `setting`: the value that names a Secret of one's own. The release is as before afterwards.
 */
export async function passwordsHold({ helm, api, at, get, must }, { asked, secret, holds, setting }) {
  const read = () => get('/api/v1', 'secrets', secret);
  const { metadata, data, type } = await read();
  const isSame = async () => JSON.stringify((await read()).data) === JSON.stringify(data);
  // a Helm that was built without its flags takes Kubernetes for 1.20
  const template = ['template', 'campaigns', ...asked, '--kube-version', '1.31.0'];
  const blind = helm(template, { check: false });
  must(blind.status !== 0 && blind.stderr.includes(setting), `refused without a cluster and without ${setting}`);
  const seen = helm([...template, '--dry-run=server']);
  must(
    Object.values(data).every((text) => seen.stdout.includes(text)),
    'rendered with a look at the cluster, passwords are those of the installation',
  );
  await api('DELETE', at('/api/v1', 'secrets', secret));
  const lost = helm(['upgrade', 'campaigns', ...asked], { check: false });
  must(
    lost.status !== 0 && lost.stderr.includes(`${holds} `) && lost.stderr.includes(setting),
    `no new password while there is a ${holds} of before`,
  );
  const { name, labels, annotations } = metadata;
  await api('POST', at('/api/v1', 'secrets'), { metadata: { name, labels, annotations }, data, type });
  helm(['upgrade', 'campaigns', ...asked, '--set', `${setting}=${secret}`]);
  must(await isSame(), "named as a Secret of one's own it stays, with the same passwords");
  helm(['upgrade', 'campaigns', ...asked]);
  must(await isSame(), 'and back again');
  helm(['install', 'fresh', ...asked, '--create-namespace', '--dry-run=server'], { namespace: 'fresh' });
  must(true, 'in a namespace that is still to be made, passwords are made');
}
