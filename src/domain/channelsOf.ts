import type { Flow, Stage } from './model.ts';

/** Channels that a flow names, each once. */
export const channelsOf = ({ stages }: Pick<Flow, 'stages'>): string[] => [...new Set(stages.flatMap(channelsIn))];

function channelsIn(stage: Stage): string[] {
  switch (stage.type) {
    case 'message':
      return [
        stage.channel,
        ...(stage.followUps ?? []).map(({ channel }) => channel ?? stage.channel),
        ...(stage.fallback ? [stage.fallback.channel] : []),
      ];
    case 'webhook':
      return [stage.channel];
    case 'escalate':
      return stage.notify ? [stage.notify.channel] : [];
    case 'wait':
    case 'branch':
    case 'split':
    case 'end':
      return [];
  }
}
