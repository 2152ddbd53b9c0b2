// mongosh, health check of the first mongod of docker-compose.yml: makes the replica set the first time; well is who is in it.
try {
  rs.status();
} catch {
  rs.initiate({ _id: 'rs0', members: [{ _id: 0, host: 'mongo:27017', priority: 2 }] });
}
const { isWritablePrimary, secondary } = db.hello();
quit(isWritablePrimary || secondary ? 0 : 1);
