// mongosh, for profile "cluster" of docker-compose.yml: the replica set gets the members it lacks, and waits for each.
for (const host of ['mongo2:27017', 'mongo3:27017']) {
  const { members } = rs.conf();
  if (members.some((member) => member.host === host)) continue;
  rs.add({ _id: Math.max(...members.map(({ _id }) => _id)) + 1, host });
  print(`${host} is added`);
  while (!rs.status().members.some(({ name, stateStr }) => name === host && stateStr === 'SECONDARY')) sleep(250);
}
print(
  rs
    .status()
    .members.map(({ name, stateStr }) => `${name} ${stateStr}`)
    .join(', '),
);
