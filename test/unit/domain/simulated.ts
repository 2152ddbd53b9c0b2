/** A simulation that keeps all it tells. */
import type { FlowContext } from '../../../src/domain/decision.ts';
import type { Contact, Conversation, CounterDelta, Flow } from '../../../src/domain/model.ts';
import {
  type OpenBecause,
  type SimulatedMessage,
  Simulation,
  type SimulationInput,
} from '../../../src/domain/simulation.ts';
import type { SimulatedDelay } from '../../../src/domain/simulationModel.ts';
import { SimulationTally } from '../../../src/domain/simulationTally.ts';
import { anna, contextOf, t0 } from './given.ts';

export const far = t0 + 400 * 86_400_000;

export interface Simulated {
  messages: SimulatedMessage[];
  /** `+30 sms intro/0 sent`: seconds since the start. */
  lines: string[];
  ended: Conversation[];
  cutOff: OpenBecause[];
  counters: CounterDelta;
  delays: SimulatedDelay[];
  tally: SimulationTally;
  simulation: Simulation;
  steps: number;
}

const mostSteps = 1_000_000;

export function simulated(
  stages: unknown[],
  more: Partial<SimulationInput> = {},
  over: Partial<FlowContext> = {},
): Simulated {
  const context = contextOf(stages, over);
  const tally = new SimulationTally(t0);
  const told: Pick<Simulated, 'messages' | 'ended' | 'cutOff' | 'counters' | 'delays'> = {
    ...{ messages: [], ended: [], cutOff: [], counters: {}, delays: [] },
  };
  const simulation = new Simulation(
    {
      ...{
        run: { _id: context.campaignId, variables: context.variables },
        context,
        contacts: [anna],
        startAt: t0,
        until: far,
      },
      ...{ paces: new Map(), events: [], retries: [], failures: [], seed: 1 },
      ...more,
    },
    {
      message(message) {
        told.messages.push(message);
        tally.message(message);
      },
      delayed(delay) {
        told.delays.push(delay);
        tally.delayed(delay);
      },
      counted(delta) {
        tally.counted(delta);
        for (const [path, by] of Object.entries(delta)) told.counters[path] = (told.counters[path] ?? 0) + by;
      },
      ended(conversation, at) {
        told.ended.push(conversation);
        tally.ended(conversation, at);
      },
      cutOff(because) {
        told.cutOff.push(because);
        tally.cutOff(because);
      },
    },
  );
  let steps = 0;
  while (simulation.run(1)) {
    steps += 1;
    if (steps > mostSteps) throw new Error('the simulation does not end');
  }
  const lines = told.messages.map(
    ({ at, channel, stage, step, status, reason }) =>
      `+${(at.getTime() - t0) / 1000} ${channel} ${stage}/${step} ${status}${reason === undefined ? '' : ` ${reason}`}`,
  );
  return { ...told, lines, tally, simulation, steps };
}

export const people = (count: number): Contact[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `c${n}`,
    name: `Contact ${n}`,
    phone: `+49${n}`,
    url: 'https://a.test/',
  }));

export const flowOf = (stages: unknown[]): Flow => ({ stages }) as Flow;
