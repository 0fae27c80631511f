import { Metadata, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { servedFacade } from '../../../../test/support/served-facade.js';
import type { AccessList, EventLog } from '../log.js';
import { shared, streamIdentifier, streams } from '../protocol/index.js';
import { Access } from './access.js';
import type { Action } from './access.js';

const users = [
  { name: 'root', password: 'pass:word' },
  { name: 'ada', password: 'p' },
  { name: 'otto', password: 'q', groups: ['$ops'] },
];

const basic = (text: string) => {
  const metadata = new Metadata();
  metadata.set('authorization', `Basic ${Buffer.from(text).toString('base64')}`);
  return metadata;
};

function access(lists: Readonly<Record<string, AccessList>> = {}, reserved: readonly string[] = []): Access {
  const describe: EventLog['describe'] = (stream) => {
    const acl = lists[stream];
    return { state: 'live', head: 0, metadata: acl ? { acl } : {} };
  };
  return new Access({ describe }, users, reserved);
}

const may = (access: Access, who: string | undefined, action: Action, stream: string): boolean => {
  const caller = access.callerOf(who === undefined ? new Metadata() : basic(who));
  try {
    access.require(caller, action, stream);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: status.PERMISSION_DENIED, details: 'Access Denied' });
    return false;
  }
};

const [root, ada, otto] = ['root:pass:word', 'ada:p', 'otto:q'];

describe('who calls', () => {
  it('has one password', () => {
    const twice = [...users, { name: 'ada', password: 'another' }];
    expect(() => new Access({ describe: () => expect.fail('asked') }, twice, [])).toThrow(
      /the user ada is named twice/,
    );
  });

  it.each(['ada:', 'ada:q', 'ada', ':p', '', 'Ada:p', 'root:pass', 'nobody:p'])('is not %s', (credentials) => {
    expect(() => access().callerOf(basic(credentials))).toThrow('Unauthenticated');
  });

  it.each(['Bearer x', 'Basic', 'Basic  ', 'nonsense'])('is not told by %s', (header) => {
    const metadata = new Metadata();
    metadata.set('authorization', header);
    expect(() => access().callerOf(metadata)).toThrow('Unauthenticated');
    const twice = basic(ada);
    twice.add('authorization', `Basic ${Buffer.from(root).toString('base64')}`);
    expect(() => access().callerOf(twice)).toThrow('Unauthenticated');
  });

  it('is nobody in particular where there are no users', () => {
    const open = new Access({ describe: () => expect.fail('asked') }, [], ['kept-']);
    const caller = open.callerOf(basic('any:thing'));
    expect(() => open.require(caller, 'write', '$settings')).not.toThrow();
    expect(() => open.require(caller, 'read', '$all')).not.toThrow();
    expect(() => open.require(caller, 'write', 'kept-1')).toThrow('Access Denied');
  });
});

describe('what a caller may do', () => {
  it.each<[string | undefined, Action, string, boolean]>([
    [undefined, 'read', 'a-1', false],
    [ada, 'read', 'a-1', true],
    [ada, 'write', 'a-1', true],
    [ada, 'delete', 'a-1', true],
    [ada, 'write', '$$a-1', true],
    [ada, 'read', '$all', false],
    [ada, 'read', '$settings', false],
    [ada, 'write', '$$$settings', false],
    [otto, 'read', '$all', false],
    [root, 'read', '$all', true],
    [root, 'write', '$settings', true],
    [root, 'write', '$all', false],
    [root, 'delete', '$all', false],
    [root, 'delete', '$$a-1', false],
  ])('%s may %s %s by default: %s', (who, action, stream, expected) => {
    expect(may(access(), who, action, stream)).toBe(expected);
  });

  const lists = {
    'a-1': { $r: ['ada'], $w: ['$ops'], $d: [], $mr: ['$all'], $mw: ['otto'] },
    'b-1': { $w: ['ada'] },
    $all: { $r: ['$ops'] },
    $own: { $r: ['$all'] },
  };
  it.each<[string | undefined, Action, string, boolean]>([
    [ada, 'read', 'a-1', true],
    [otto, 'read', 'a-1', false],
    [ada, 'write', 'a-1', false],
    [otto, 'write', 'a-1', true],
    [ada, 'delete', 'a-1', false],
    [root, 'delete', 'a-1', true],
    [ada, 'read', '$$a-1', true],
    [ada, 'write', '$$a-1', false],
    [otto, 'write', '$$a-1', true],
    [otto, 'read', 'b-1', true],
    [otto, 'write', 'b-1', false],
    [otto, 'read', '$all', true],
    [ada, 'read', '$own', true],
    [undefined, 'read', '$own', false],
  ])('%s may %s %s by its list: %s', (who, action, stream, expected) => {
    expect(may(access(lists), who, action, stream)).toBe(expected);
  });

  it('never includes what is reserved, nor its metadata however deep', () => {
    const kept = access({}, ['workspace-', 'host-']);
    for (const stream of ['workspace-1', '$$workspace-1', '$$$$host-1']) {
      expect(may(kept, root, 'write', stream)).toBe(false);
      expect(may(kept, root, 'delete', stream)).toBe(false);
      expect(may(kept, root, 'read', stream)).toBe(true);
    }
    expect(may(kept, root, 'write', 'my-workspace-1')).toBe(true);
  });
});

describe('a facade with users', () => {
  it('lets each in as far as he may, by each method', async () => {
    const { raw, log } = await servedFacade({ users, reserved: ['kept-'] });
    const event = {
      id: '0190a5b8-ffee-7ddc-8bba-fedcba987654',
      type: '$metadata',
      contentType: 'json',
      metadata: new Uint8Array(),
    } as const;
    await log.write('$$a-1', 'any', [
      { ...event, data: Buffer.from('{"$acl":{"$r":["ada"],"$w":"ada","$d":["ada"]}}') },
    ]);
    const append = (metadata: Metadata, stream = 'a-1') =>
      new Promise<number>((resolve) => {
        const call = raw.append(metadata, (error) => resolve(error?.code ?? status.OK));
        const options = new streams.AppendReq.Options();
        options.setStreamIdentifier(streamIdentifier(stream));
        options.setAny(new shared.Empty());
        call.write(new streams.AppendReq().setOptions(options));
        call.end();
      });
    const batch = (metadata: Metadata) =>
      new Promise<number>((resolve) => {
        const call = raw.batchAppend(metadata);
        call
          .on('data', () => undefined)
          .on('error', (error: ServiceError) => resolve(error.code))
          .on('end', () => resolve(status.OK));
        call.end();
      });
    const read = (metadata: Metadata, stream?: string) =>
      new Promise<number>((resolve) => {
        const options = new streams.ReadReq.Options();
        const empty = new shared.Empty();
        if (stream === undefined) options.setAll(new streams.ReadReq.Options.AllOptions().setStart(empty));
        else
          options.setStream(
            new streams.ReadReq.Options.StreamOptions().setStreamIdentifier(streamIdentifier(stream)).setStart(empty),
          );
        options.setCount('1').setNoFilter(empty);
        raw
          .read(new streams.ReadReq().setOptions(options), metadata)
          .on('data', () => undefined)
          .on('error', (error: ServiceError) => resolve(error.code))
          .on('end', () => resolve(status.OK));
      });
    /** Whether links that he reads lead him somewhere. */
    const followed = (metadata: Metadata) =>
      new Promise<(boolean | undefined)[]>((resolve, reject) => {
        const options = new streams.ReadReq.Options();
        const empty = new shared.Empty();
        const links = new streams.ReadReq.Options.StreamOptions();
        options.setStream(links.setStreamIdentifier(streamIdentifier('links')).setStart(empty));
        options.setCount('9').setNoFilter(empty).setResolveLinks(true);
        const seen: (boolean | undefined)[] = [];
        raw
          .read(new streams.ReadReq().setOptions(options), metadata)
          .on('data', (answer: streams.ReadResp) => seen.push(answer.getEvent()?.hasEvent()))
          .on('error', reject)
          .on('end', () => resolve(seen));
      });
    const tombstone = (metadata: Metadata) =>
      new Promise<number>((resolve) => {
        const options = new streams.TombstoneReq.Options();
        options.setStreamIdentifier(streamIdentifier('a-1')).setAny(new shared.Empty());
        raw.tombstone(new streams.TombstoneReq().setOptions(options), metadata, (error) =>
          resolve(error?.code ?? status.OK),
        );
      });

    expect(await append(basic('ada:wrong'))).toBe(status.UNAUTHENTICATED);
    expect(await batch(basic('ada:wrong'))).toBe(status.UNAUTHENTICATED);
    expect(await read(basic('ada:wrong'), 'a-1')).toBe(status.UNAUTHENTICATED);
    expect(await tombstone(basic('ada:wrong'))).toBe(status.UNAUTHENTICATED);
    expect(await append(new Metadata())).toBe(status.PERMISSION_DENIED);
    expect(await append(basic(otto))).toBe(status.PERMISSION_DENIED);
    expect(await append(basic(ada))).toBe(status.OK);
    expect(await append(basic(root), 'kept-1')).toBe(status.PERMISSION_DENIED);
    expect(await batch(basic(ada))).toBe(status.OK);
    expect(await read(basic(otto), 'a-1')).toBe(status.PERMISSION_DENIED);
    expect(await read(basic(ada), 'a-1')).toBe(status.OK);
    expect(await read(basic(ada))).toBe(status.PERMISSION_DENIED);
    expect(await read(basic(root))).toBe(status.OK);
    await log.write('links', 'any', [
      { ...event, id: '0190a5b8-ffee-7ddc-8bba-000000000001', type: '$>', data: Buffer.from('0@a-1') },
    ]);
    await log.write('a-1', 'any', [
      { ...event, id: '0190a5b8-ffee-7ddc-8bba-000000000002', type: 'Secret', data: Buffer.from('{}') },
    ]);
    expect(await followed(basic(ada))).toEqual([true]);
    expect(await followed(basic(otto))).toEqual([false]);
    expect(await tombstone(basic(otto))).toBe(status.PERMISSION_DENIED);
    expect(await tombstone(basic(ada))).toBe(status.OK);
  });
});
