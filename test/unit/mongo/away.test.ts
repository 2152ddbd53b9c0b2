import { expect, test } from '@jest/globals';
import * as mongodb from 'mongodb';
import { ServiceError } from '../../../src/domain/errors.ts';
import { isDatabaseAway, isNoFaultOfDocuments } from '../../../src/mongo/away.ts';

const server = (code: number, labels: string[] = []): Error =>
  new mongodb.MongoServerError({ message: 'no', code, errorLabels: labels });

const systemError = (code: string, syscall: string): Error =>
  Object.assign(new Error(`${syscall} ${code}`), { code, syscall });

test.each<[string, unknown]>([
  ['an election', server(10107)],
  ['a transaction that is gone', server(251)],
  ['a write conflict', server(112)],
  ['any code with a label that asks for another try', server(7777, ['TransientTransactionError'])],
  ['a connection that was cut', new mongodb.MongoNetworkError('closed')],
  ['a connection that was reset while a command was written', systemError('ECONNRESET', 'write')],
  ['no primary', new mongodb.MongoServerSelectionError('none', {} as mongodb.TopologyDescription)],
  ['a server in the middle of a restart', new mongodb.MongoUnexpectedServerResponseError('no retryable writes')],
  ['a client that was closed', new mongodb.MongoTopologyClosedError('closed')],
  ['a breaker that is open', new ServiceError('database_unreachable', 'away')],
])('%s: the database is away, no document is to blame', (_, error) => {
  expect(isDatabaseAway(error)).toBe(true);
  expect(isNoFaultOfDocuments(error)).toBe(true);
});

test.each<[string, number]>([
  ['missing rights', 13],
  ['a full disk', 14031],
  ['writes blocked by an operator', 371],
])('%s: nothing that another try mends, and no document is to blame', (_, code) => {
  expect(isDatabaseAway(server(code))).toBe(false);
  expect(isNoFaultOfDocuments(server(code))).toBe(true);
});

test.each<[string, unknown]>([
  ['a duplicate key', server(11000)],
  ['a document that is too large', server(10334)],
  ['a value an index cannot hold', server(171)],
  ['a command that fits into no message', new RangeError('too large')],
  ['what the driver says of an argument', new mongodb.MongoInvalidArgumentError('no')],
  ['a failure of our own', new TypeError('no')],
])('%s: the document is to blame', (_, error) => {
  expect(isDatabaseAway(error)).toBe(false);
  expect(isNoFaultOfDocuments(error)).toBe(false);
});
