// One process of a candidate: `role.mjs <candidate> <produce | work> <settings as JSON>`. A producer begins when it is told to.
const [candidate, task, text] = process.argv.slice(2);
const settings = JSON.parse(text);

const roles = await import(`./${candidate}.mjs`);
process.on('disconnect', () => process.exit(0));
if (task === 'work') await roles.work(settings);
process.send({ ready: true });
if (task === 'produce') {
  process.once('message', () => {
    roles.produce(settings).catch((error) => {
      process.stderr.write(`${candidate}: ${error.stack}\n`);
      process.exit(1);
    });
  });
}
