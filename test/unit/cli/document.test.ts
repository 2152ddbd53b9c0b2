import { describe, expect, test } from '@jest/globals';
import { parseCampaign, readCampaignFile } from '../../../src/cli/document.ts';
import { isObjectId } from '../../../src/domain/ids.ts';

describe('a campaign file', () => {
  test('ISO instants in the known date fields become dates, others stay text', () => {
    const { document, faults } = parseCampaign(
      JSON.stringify({
        schedule: { startAt: '2026-01-05T09:00:00+01:00', endAt: '2026-02-05T09:00Z' },
        variables: { day: '2026-01-05T09:00:00Z' },
      }),
    );
    expect(faults).toEqual([]);
    expect(document).toEqual({
      schedule: { startAt: new Date('2026-01-05T08:00:00Z'), endAt: new Date('2026-02-05T09:00:00Z') },
      variables: { day: '2026-01-05T09:00:00Z' },
    });
  });

  test.each(['2026-01-05T09:00:00', '2026-01-05', 'tomorrow', '2026-13-45T09:00:00Z'])(
    'a date of %s is refused with its path: the zone of this machine decides nothing',
    (startAt) => {
      const { faults } = parseCampaign(JSON.stringify({ schedule: { startAt } }));
      expect(faults).toMatchObject([{ code: 'date_invalid', path: 'schedule.startAt' }]);
      expect(faults[0]?.message).toContain(startAt);
    },
  );

  test('extended JSON becomes BSON', () => {
    const { document } = parseCampaign(
      '{"_id": {"$oid": "507f1f77bcf86cd799439011"}, "audience": {"filter": {"since": {"$gte": {"$date": "2026-01-01T00:00:00Z"}}}}}',
    );
    expect(isObjectId(document?.['_id'])).toBe(true);
    expect(document?.['audience']).toEqual({ filter: { since: { $gte: new Date('2026-01-01T00:00:00Z') } } });
  });

  test.each([
    ['{"a": ', 'not_json'],
    ['[1]', 'document_invalid'],
    ['"text"', 'document_invalid'],
    ['{"$oid": "507f1f77bcf86cd799439011"}', 'document_invalid'],
    ['{"$oid": "nonsense"}', 'not_json'],
  ])('%s is a fault, not a crash', (text, code) => {
    expect(parseCampaign(text)).toMatchObject({ document: undefined, faults: [{ code, path: '' }] });
  });

  test('a byte order mark is no fault', () => {
    expect(parseCampaign('\uFEFF{"_id": "a"}').document).toEqual({ _id: 'a' });
  });

  test('a file that is not there is wrong use', async () => {
    await expect(readCampaignFile('/nowhere/campaign.json')).rejects.toMatchObject({ code: 'usage' });
    await expect(readCampaignFile('/')).rejects.toMatchObject({ code: 'usage' });
  });
});
