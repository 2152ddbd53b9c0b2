import { describe, expect, test } from '@jest/globals';
import { channelFacts } from '../../../../src/channels/facts.ts';
import {
  answerTo,
  campaign,
  isUnknownAddress,
  people,
  person,
  stageOrder,
  template,
} from '../../../../src/cli/demo/demoScenario.ts';
import { loadConfig } from '../../../../src/config.ts';
import { checkCampaign } from '../../../../src/domain/campaign.ts';
import { conversationId } from '../../../../src/domain/ids.ts';

describe('the demo’s story', () => {
  test('its campaign and template are valid', () => {
    const url = 'http://127.0.0.1:1';
    const { channels } = loadConfig(
      { CHANNEL_EMAIL_DRIVER: 'http', CHANNEL_EMAIL_URL: url, CHANNEL_SMS_DRIVER: 'http', CHANNEL_SMS_URL: url },
      { requireUri: false },
    );
    const checked = checkCampaign(campaign, { channels: channelFacts(channels), template, reservedCollections: [] });
    expect(checked.faults).toEqual([]);
    expect(checked.flow?.stages.map(({ id }) => id)).toEqual(stageOrder);
  });

  test('one in twenty more did not agree', () => {
    const all = [...people(200)];
    expect(all.filter(({ consent }) => consent)).toHaveLength(200);
    expect(all).toHaveLength(210);
    expect(new Set(all.map(({ _id }) => _id)).size).toBe(210);
  });

  test('about a third would answer, each to one message only; one address in a hundred is unknown', () => {
    const places = ['welcome/0', 'welcome/1', 'welcome/2', 'tips/0', 'thanks/0'];
    const answered = Array.from({ length: 2000 }, (_, index) => {
      const conversation = conversationId('onboarding', person(index)._id);
      return places.filter((place) => {
        const [stage = '', step] = place.split('/');
        return answerTo(conversation, stage, Number(step)) !== undefined;
      });
    });
    expect(Math.max(...answered.map((hits) => hits.length))).toBe(1);
    const share = answered.filter((hits) => hits.length === 1).length / 2000;
    expect(share).toBeGreaterThan(0.28);
    expect(share).toBeLessThan(0.38);
    for (const place of places.slice(0, 4)) expect(answered.some(([hit]) => hit === place)).toBe(true);
    expect([...people(2000)].slice(0, 2000).filter(({ email }) => isUnknownAddress(email))).toHaveLength(20);
  });
});
