/** What may befall a cluster, drawn at random. */
import fc from 'fast-check';
import type { Begins, Cluster } from './cluster.ts';
import { type FlowName, flowNames } from './flows.ts';
import type { CrashAt } from './host.ts';

export type Command = { /** Ms that pass afterwards. */ then: number } & (
  | { kind: 'pass' }
  | { kind: 'join' }
  | { kind: 'crash'; who: number; at: CrashAt; calls: number }
  | { kind: 'freeze'; who: number; ms: number }
  | { kind: 'leave'; who: number }
  /** `who` undefined: for everybody. */
  | { kind: 'away'; who: number | undefined; ms: number }
  | { kind: 'unknown'; who: number; calls: number; isApplied: boolean }
  | { kind: 'step'; who: number; ms: number }
  | { kind: 'campaign'; flow: FlowName; contacts: number }
  | { kind: 'triggered'; flow: FlowName; policy: 'never' | 'afterEnd' | 'after'; begins: Begins }
  | { kind: 'enroll'; campaign: number; contacts: number[] }
  | { kind: 'status'; campaign: number; status: 'paused' | 'running' | 'cancelled' | 'pending' }
  | { kind: 'migrate'; campaign: number; toVersion: number }
  | { kind: 'event'; conversation: number; id: string; type: string }
  | { kind: 'replay'; message: number; newKey: boolean; uncertain: boolean }
  | { kind: 'forget' }
  | { kind: 'break'; who: number; isLost: boolean }
  | { kind: 'roll' }
);

const mostMembers = 4;
const who = fc.nat(mostMembers - 1);
const campaign = fc.nat(2);
const then = fc.oneof(
  { weight: 6, arbitrary: fc.nat(300) },
  { weight: 4, arbitrary: fc.nat(4_000) },
  { weight: 1, arbitrary: fc.nat(15_000) },
);
/** Shorter than a lease, or longer. */
const outageMs = fc.oneof(fc.nat(3_000), fc.nat(25_000));
const kind = <Kind extends Command['kind']>(name: Kind): fc.Arbitrary<Kind> => fc.constant(name);
const is = <Fields extends object>(weight: number, fields: { [Key in keyof Fields]: fc.Arbitrary<Fields[Key]> }) => ({
  weight,
  arbitrary: fc.record({ ...fields, then }),
});

const command = fc.oneof(
  is(8, { kind: kind('pass') }),
  is(2, { kind: kind('join') }),
  is(3, {
    ...{ kind: kind('crash'), who, at: fc.constantFrom<CrashAt>('now', 'before', 'after') },
    calls: fc.integer({ min: 1, max: 12 }),
  }),
  is(3, { kind: kind('freeze'), who, ms: outageMs }),
  is(2, { kind: kind('leave'), who }),
  is(3, { kind: kind('away'), who: fc.option(who, { nil: undefined }), ms: outageMs }),
  is(3, {
    kind: kind('unknown'),
    who,
    calls: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 20, max: 60 })),
    isApplied: fc.boolean(),
  }),
  is(2, { kind: kind('step'), who, ms: fc.integer({ min: -300_000, max: 300_000 }) }),
  is(4, { kind: kind('campaign'), flow: fc.constantFrom(...flowNames), contacts: fc.integer({ min: 1, max: 8 }) }),
  is(3, {
    ...{ kind: kind('triggered'), flow: fc.constantFrom(...flowNames) },
    policy: fc.constantFrom('never', 'afterEnd', 'after'),
    begins: fc.constantFrom<Begins>('now', 'now', 'now', 'later', 'never'),
  }),
  is(8, { kind: kind('enroll'), campaign, contacts: fc.array(fc.nat(5), { minLength: 1, maxLength: 6 }) }),
  is(3, {
    kind: kind('status'),
    campaign,
    status: fc.constantFrom('paused', 'running', 'running', 'cancelled', 'pending'),
  }),
  is(4, { kind: kind('migrate'), campaign, toVersion: fc.integer({ min: 1, max: 3 }) }),
  is(8, {
    ...{ kind: kind('event'), conversation: fc.nat(15) },
    id: fc.nat(5).map((n) => `e${n}`),
    type: fc.constantFrom('reply', 'custom', 'custom', 'bounce', 'unsubscribe'),
  }),
  is(6, { kind: kind('replay'), message: fc.nat(15), newKey: fc.boolean(), uncertain: fc.boolean() }),
  is(1, { kind: kind('forget') }),
  is(2, { kind: kind('break'), who, isLost: fc.boolean() }),
  is(1, { kind: kind('roll') }),
) as fc.Arbitrary<Command>;

/** Something to do from the start on. */
export const commands: fc.Arbitrary<Command[]> = fc
  .tuple(
    fc.record({
      ...{ kind: kind('campaign'), flow: fc.constantFrom(...flowNames), contacts: fc.integer({ min: 1, max: 8 }) },
      then,
    }),
    fc.array(command, { maxLength: 60, size: 'max' }),
  )
  .map(([first, others]) => [first, ...others]);

export function apply(cluster: Cluster, command: Command): void {
  const { clock, living } = cluster;
  const node =
    'who' in command && command.who !== undefined ? living[command.who % Math.max(1, living.length)] : undefined;
  switch (command.kind) {
    case 'pass':
      return;
    case 'join':
      if (living.length < mostMembers) cluster.join();
      return;
    case 'crash':
      node?.host.crashAt(command.at, command.calls);
      return;
    case 'freeze':
      node?.host.freeze();
      clock.after(command.ms, () => node?.host.thaw());
      return;
    case 'leave':
      if (node) void cluster.leave(node);
      return;
    case 'away': {
      const away = command.who === undefined ? cluster : node?.host;
      if (away === undefined) return;
      away.isAway = true;
      clock.after(command.ms, () => {
        away.isAway = false;
      });
      return;
    }
    case 'unknown':
      node?.host.loseCommits(command.calls, command.isApplied);
      return;
    case 'step':
      node?.host.stepWall(command.ms);
      return;
    case 'campaign':
      if (cluster.database.campaigns.find().length < 3)
        cluster.insertCampaign(command.flow, command.contacts, limitsOf(cluster));
      return;
    case 'triggered':
      if (cluster.database.campaigns.find().length < 3) cluster.insertTriggered(command);
      return;
    case 'enroll':
      cluster.enroll(command.campaign, command.contacts);
      return;
    case 'status':
      cluster.setStatus(command.campaign, command.status);
      return;
    case 'migrate':
      cluster.migrate(command.campaign, command.toVersion);
      return;
    case 'event':
      cluster.push(command.conversation, { id: command.id, type: command.type });
      return;
    case 'replay':
      cluster.replay(command.message, command);
      return;
    case 'forget':
      cluster.forgetPositions();
      return;
    case 'break':
      if (node) cluster.breakStream(node, command.isLost);
      return;
    case 'roll':
      cluster.log.truncate();
      return;
  }
}

/** Each second campaign has a rate, each third a slow one. */
function limitsOf(cluster: Cluster): object {
  const number = cluster.database.campaigns.find().length;
  if (number === 1) return { limits: { perSecond: 3 } };
  return number === 2 ? { limits: { perSecond: 0.4 } } : {};
}
