import { afterEach, describe, expect, it } from 'vitest';
import { HOST, TestHost } from '../../spec/host.js';

describe('evidence', () => {
  let host: TestHost;
  afterEach(() => host.dispose());

  const numbers = () => host.bus.evidence.map(({ bootId, seq }) => `${bootId}/${seq}`);

  it('is sent until it is acknowledged, and then no more', async () => {
    host = await TestHost.prepare();
    host.bus.acknowledging = false;
    await host.start();
    const task = host.task(host.deployment());
    await host.send(task);
    await host.bus.until(() => host.bus.evidence.length >= 4);
    expect(new Set(numbers()).size).toBe(1);
    const { bootId, seq } = host.bus.evidence[0]!;
    await host.bus.deliver({ type: 'acknowledged', hostId: HOST, bootId, seq });
    expect(host.agent.counters.acknowledged).toBe(1);
    const sent = host.bus.evidence.length;
    host.bus.acknowledging = true;
    await host.perform({ kind: 'start', from: 'image' });
    expect(host.bus.evidence.slice(sent).map(({ requestId }) => requestId)).not.toContain(task.taskId);
  });

  it('survives a restart under its own number, and so does its acknowledgement', async () => {
    host = await TestHost.prepare();
    host.bus.acknowledging = false;
    await host.start();
    const task = host.task(host.deployment());
    await host.send(task);
    const first = await host.answer(task.taskId);
    await host.restart();
    const sent = host.bus.evidence.length;
    expect(await host.bus.until(() => host.bus.evidence.slice(sent)[0])).toEqual(first);
    expect(first.bootId).not.toBe(host.agent.bootId);
    await host.bus.deliver({ type: 'acknowledged', hostId: HOST, bootId: first.bootId, seq: first.seq });
    host.bus.acknowledging = true;
    await host.unasked();
    await host.restart();
    const after = host.bus.evidence.length;
    await host.perform({ kind: 'start', from: 'image' });
    expect(host.bus.evidence.slice(after).map(({ requestId }) => requestId)).not.toContain(task.taskId);
  });

  it('waits for a bus that is out of reach', async () => {
    host = await TestHost.started();
    const task = host.task(host.deployment());
    host.bus.outOfReach = true;
    await host.send(task);
    await host.send(host.task({ kind: 'observe' }));
    host.bus.outOfReach = false;
    expect((await host.answer(task.taskId)).observation).toMatchObject({ kind: 'deployed' });
  });

  it('that says what is true now waits for the outcome before it, so that the older one never has the last word', async () => {
    host = await TestHost.prepare();
    await host.start();
    await host.perform(host.deployment());
    host.bus.acknowledging = false;
    const task = host.task({ kind: 'start', from: 'image' });
    await host.send(task);
    const started = await host.answer(task.taskId);
    await host.send(host.task({ kind: 'observe' }));
    const sent = host.bus.evidence.length;
    await host.bus.until(() => host.bus.evidence.length >= sent + 3);
    expect(host.bus.evidence.some(({ observation }) => observation.kind === 'observed')).toBe(false);
    await host.bus.deliver({ type: 'acknowledged', hostId: HOST, bootId: started.bootId, seq: started.seq });
    expect((await host.unasked()).observation).toMatchObject({ guest: 'running' });
  });

  it('that says what was true is not sent again once there is newer', async () => {
    host = await TestHost.prepare();
    await host.start();
    await host.perform(host.deployment());
    await host.perform({ kind: 'start', from: 'image' });
    host.bus.acknowledging = false;
    await host.send(host.task({ kind: 'observe' }));
    await host.unasked();
    const stop = host.task({ kind: 'stop', mode: 'hard', graceMs: 0 });
    await host.send(stop);
    await host.answer(stop.taskId);
    const sent = host.bus.evidence.length;
    await host.bus.until(() => host.bus.evidence.length >= sent + 3);
    await host.kill();
    expect(host.bus.evidence.slice(sent).every(({ observation }) => observation.kind === 'stopped')).toBe(true);
  });
});
