/**
 * The whole life of one workspace, and what the guest itself says of it: its heartbeats stand still while it is paused, and go on with the next number after
 * its hot image was started again.
 */
import type { CommandAnswer } from '@vw/contracts';
import type { Timers } from '@vw/runtime';
import type { DemoClient } from './client.js';

export interface Proof {
  readonly claim: string;
  readonly holds: boolean;
}

export interface LifeReport {
  readonly workspaceId: string;
  readonly proofs: readonly Proof[];
}

/** How long the guest is watched while it is paused: several of its heartbeats. */
const watchedMs = 1000;
/** A guest that has not beaten for so long does not run. */
const beatWithinMs = 30_000;

export async function liveOnce(
  client: DemoClient,
  timers: Timers,
  file: { readonly name: string; readonly bytes: Uint8Array; readonly contentType: string },
  tell: (line: string) => void,
): Promise<LifeReport> {
  const created = await client.create(file.bytes, file.contentType, file.name);
  const id = created.workspaceId;
  tell(`create        ${created.reference?.uri} of ${created.reference?.owner}`);
  for (const notice of created.notices ?? []) tell(`              ${notice}`);
  await makeRunnableHere(client, created, tell);

  const step = async (verb: string, body: object = {}, note = '') => {
    await client.command(id, verb, body);
    tell(`${verb.padEnd(13)} done${note}`);
  };
  const beats = () => heartbeats(client, id);
  await step('check-out');
  await step('deploy');
  await step('start');
  const first = await beatsBeyond(timers, beats, 2);
  tell(`              the guest has reached heartbeat ${first}`);

  await step('pause');
  const frozen = last(await beats());
  await timers.sleep(watchedMs);
  const stillFrozen = last(await beats());
  tell(`              heartbeat ${frozen}, and ${watchedMs} ms later ${stillFrozen}`);

  await step('unpause');
  const after = await beatsBeyond(timers, beats, frozen);
  const continued = (await beats()).includes(frozen + 1);
  tell(`              the guest goes on: heartbeat ${after}`);

  await step('pause');
  await step('serialise');
  await step('stop', { mode: 'hard' });
  const before = await beats();
  const stopped = last(before);
  tell(`              stopped after heartbeat ${stopped}; its state is in the hot image`);

  await step('start');
  await beatsBeyond(timers, beats, stopped);
  const next = (await beats())[before.length];
  tell(`              the first heartbeat after the hot image is ${next}`);
  await step('stop');
  await step('undeploy');
  return {
    workspaceId: id,
    proofs: [
      { claim: `pause stopped it: heartbeat ${frozen} stayed for ${watchedMs} ms`, holds: frozen === stillFrozen },
      { claim: `unpause continued it: heartbeat ${frozen + 1} followed`, holds: continued },
      { claim: `the hot image continued it: heartbeat ${next} = ${stopped} + 1`, holds: next === stopped + 1 },
    ],
  };
}

/** A description from elsewhere may ask for a VMM and an image that are not here: the built-in guest stands in, and the record says so. */
async function makeRunnableHere(
  client: DemoClient,
  { workspaceId: id, position }: CommandAnswer,
  tell: (line: string) => void,
): Promise<void> {
  const { description, image } = await client.show(id, position);
  const { requirements = {} } = description as { requirements?: { vmm?: { type: string } } };
  const standIn = { ...(image === null ? { image: 'heartbeat' } : {}), ...(requirements.vmm ? { vmm: 'any' } : {}) };
  if (Object.keys(standIn).length === 0) return;
  await client.command(id, 'refine', standIn);
  tell(
    `refine        stands in here: ${Object.entries(standIn)
      .map(([what, value]) => `${what} ${value}`)
      .join(', ')}`,
  );
}

async function heartbeats(client: DemoClient, id: string): Promise<number[]> {
  const text = await client.console(id);
  return [...text.matchAll(/^HB (\d+)\r?\n/gm)].map(([, number]) => Number(number));
}

const last = (numbers: readonly number[]): number => numbers.at(-1) ?? 0;

async function beatsBeyond(timers: Timers, beats: () => Promise<number[]>, beyond: number): Promise<number> {
  for (let waited = 0; waited < beatWithinMs; waited += 20) {
    const now = last(await beats());
    if (now > beyond) return now;
    await timers.sleep(20);
  }
  throw new Error(`the guest did not get beyond heartbeat ${beyond} within ${beatWithinMs} ms`);
}
