/**
 * Who calls, and what he may do. The rules are EventStoreDB's: a stream's own access list, else the default: user streams are
 * open to whoever is authenticated, system streams and the reading of `$all` are for `$admins`. A list names users and groups.
 *
 * Without users there is nobody to tell apart and everything is open, except what nobody may do at any time: write to or
 * delete `$all`, delete a metadata stream, or touch a stream that the service keeps to itself (`reserved`).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Metadata } from '@grpc/grpc-js';
import type { AccessList, EventLog } from '../log.js';
import { accessDenied, unauthenticated } from './refusals.js';

export interface FacadeUser {
  readonly name: string;
  readonly password: string;
  /** Groups such as `$ops`. The first user of a facade is in `$admins` without being told. */
  readonly groups?: readonly string[];
}

export type Action = 'read' | 'write' | 'delete';

export interface Caller {
  /** The caller's own name and his groups, as an access list may call him. */
  readonly called: ReadonlySet<string>;
  readonly rank: 'administrator' | 'user' | 'anonymous';
}

export const ALL_STREAM = '$all';
const METADATA_PREFIX = '$$';
const ADMINISTRATORS = '$admins';
const EVERYBODY = '$all';

const ADMINISTRATOR: Caller = { called: new Set([ADMINISTRATORS]), rank: 'administrator' };
const ANONYMOUS: Caller = { called: new Set(), rank: 'anonymous' };

interface Known {
  readonly credentials: Buffer;
  readonly caller: Caller;
}

export class Access {
  private readonly known: readonly Known[];

  /** @throws RangeError when two users have one name: both their passwords would open the door */
  constructor(
    private readonly log: Pick<EventLog, 'describe'>,
    users: readonly FacadeUser[],
    private readonly reserved: readonly string[],
  ) {
    const names = users.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) < index);
    if (twice !== undefined) throw new RangeError(`the user ${twice} is named twice`);
    this.known = users.map(({ name, password, groups = [] }, index) => {
      const rank = index === 0 || groups.includes(ADMINISTRATORS) ? 'administrator' : 'user';
      return { credentials: digest(`${name}:${password}`), caller: { called: new Set([name, ...groups]), rank } };
    });
  }

  /** @throws Refusal when the credentials are none of ours; none at all make the caller anonymous, as on the official server */
  callerOf(metadata: Metadata): Caller {
    if (this.known.length === 0) return ADMINISTRATOR;
    const [header, second] = metadata.get('authorization');
    if (header === undefined) return ANONYMOUS;
    const basic = /^basic +(\S+)$/i.exec(String(header))?.[1];
    if (basic === undefined || second !== undefined) throw unauthenticated();
    return this.callerWith(Buffer.from(basic, 'base64'));
  }

  /** @throws Refusal unless the caller may do that with the stream */
  require(caller: Caller, action: Action, stream: string): void {
    if (!this.allows(caller, action, stream)) throw accessDenied();
  }

  /** Every user is compared, and by digests of one length: the time tells neither the name nor how much of a password was right. */
  private callerWith(credentials: Buffer): Caller {
    const given = digest(credentials);
    let found: Caller | undefined;
    for (const { credentials, caller } of this.known) if (timingSafeEqual(credentials, given)) found = caller;
    if (!found) throw unauthenticated();
    return found;
  }

  allows(caller: Caller, action: Action, stream: string): boolean {
    if (action !== 'read' && (stream === ALL_STREAM || this.isReserved(stream))) return false;
    const isMetadata = stream.startsWith(METADATA_PREFIX);
    if (isMetadata && action === 'delete') return false;
    if (caller.rank === 'administrator') return true;
    if (caller.rank === 'anonymous') return false;
    const subject = isMetadata ? stream.slice(METADATA_PREFIX.length) : stream;
    const allowed = this.log.describe(subject).metadata.acl?.[rightFor(action, isMetadata)] ?? defaultFor(subject);
    return allowed.some((name) => name === EVERYBODY || caller.called.has(name));
  }

  /** Metadata of a kept stream is kept with it, however deep: it could hide or delete what the stream holds. */
  private isReserved(stream: string): boolean {
    let subject = stream;
    while (subject.startsWith(METADATA_PREFIX)) subject = subject.slice(METADATA_PREFIX.length);
    return this.reserved.some((prefix) => subject.startsWith(prefix));
  }
}

function rightFor(action: Action, isMetadata: boolean): keyof AccessList {
  if (action === 'delete') return '$d';
  if (isMetadata) return action === 'read' ? '$mr' : '$mw';
  return action === 'read' ? '$r' : '$w';
}

function defaultFor(stream: string): readonly string[] {
  return stream.startsWith('$') ? [ADMINISTRATORS] : [EVERYBODY];
}

function digest(text: string | Buffer): Buffer {
  return createHash('sha256').update(text).digest();
}
