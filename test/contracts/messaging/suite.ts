/** What every bus must do, whatever carries it. An adapter's spec is one call of `busContract`. */
import { afterEach, describe, expect, it } from 'vitest';
import { BusRefused, BusTimeout, BusUnavailable } from '@vw/messaging';
import type { Bus, Delivery, Payload, Verdict } from '@vw/messaging';
import { runProgram } from '../../support/program.js';

/** One bus that can be closed and opened again upon what it stored. */
export interface BusUnderTest {
  open(): Promise<Bus>;
  /**
   * A program that opens the same bus, publishes `{ n }` on the subject `vw.task.killed` for n = 0, 1, 2 …, printing each n once its publish has
   * resolved, until it is killed.
   */
  readonly publisher: { readonly file: string; readonly args: readonly string[] };
  dispose(): Promise<void>;
}

const ack: Verdict = { kind: 'ack' };

export function busContract(name: string, prepare: () => Promise<BusUnderTest>): void {
  describe(`the bus contract: ${name}`, { timeout: 30_000 }, () => {
    const cleanups: (() => Promise<unknown>)[] = [];
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
    });

    async function place(): Promise<BusUnderTest> {
      const place = await prepare();
      cleanups.push(() => place.dispose());
      return place;
    }

    async function openAt(place: BusUnderTest): Promise<Bus> {
      const bus = await place.open();
      cleanups.push(() => bus.close());
      return bus;
    }

    async function open(): Promise<Bus> {
      return openAt(await place());
    }

    /** Consumes into a list; `stop` resolves when the consumer has. */
    function collect(
      bus: Bus,
      durable: string,
      subject: string,
      verdict: (delivery: Delivery) => Verdict | Promise<Verdict> = () => ack,
    ) {
      const stopping = new AbortController();
      const deliveries: Delivery[] = [];
      const done = bus.consume(
        durable,
        subject,
        async (delivery) => {
          deliveries.push(delivery);
          return verdict(delivery);
        },
        stopping.signal,
      );
      const stop = async () => {
        stopping.abort();
        await done;
      };
      cleanups.push(stop);
      return { deliveries, stop, numbers: () => deliveries.map(({ payload }) => payload['n']) };
    }

    describe('durable subjects', () => {
      it('hands over what was published before and after the consumer came, in order, once', async () => {
        const bus = await open();
        for (let n = 0; n < 5; n++) await bus.publish('vw.task.h1', { n });
        const consumer = collect(bus, 'agent', 'vw.task.h1');
        for (let n = 5; n < 10; n++) await bus.publish('vw.task.h1', { n });
        await expect.poll(consumer.numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        expect(new Set(consumer.deliveries.map(({ subject, attempt }) => `${subject} ${attempt}`))).toEqual(
          new Set(['vw.task.h1 1']),
        );
      });

      it('runs one handler at a time', async () => {
        const bus = await open();
        let running = 0;
        let most = 0;
        const consumer = collect(bus, 'agent', 'vw.task.h1', async () => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running -= 1;
          return ack;
        });
        for (let n = 0; n < 20; n++) await bus.publish('vw.task.h1', { n });
        await expect.poll(consumer.numbers).toHaveLength(20);
        expect(most).toBe(1);
      });

      it('keeps subjects apart, and `*` takes all of a kind in the order of publication', async () => {
        const bus = await open();
        const mine = collect(bus, 'agent-h1', 'vw.task.h1');
        const all = collect(bus, 'intake', 'vw.evidence.*');
        for (let n = 0; n < 6; n++) {
          await bus.publish(`vw.task.h${n % 2}`, { n });
          await bus.publish(`vw.evidence.h${n % 3}`, { n });
        }
        await expect.poll(all.numbers).toEqual([0, 1, 2, 3, 4, 5]);
        await expect.poll(mine.numbers).toEqual([1, 3, 5]);
      });

      it('takes a message id once for each subject', async () => {
        const bus = await open();
        const consumer = collect(bus, 'intake', 'vw.evidence.*');
        await bus.publish('vw.evidence.h1', { n: 1 }, { messageId: 'same' });
        await expect.poll(consumer.numbers).toEqual([1]);
        await bus.publish('vw.evidence.h1', { n: 2 }, { messageId: 'same' });
        await bus.publish('vw.evidence.h2', { n: 3 }, { messageId: 'same' });
        await bus.publish('vw.evidence.h1', { n: 4 }, { messageId: 'other' });
        await expect.poll(consumer.numbers).toEqual([1, 3, 4]);
      });

      it('hands a message out again after the delay, and those behind it meanwhile', async () => {
        const bus = await open();
        const at: number[] = [];
        const consumer = collect(bus, 'agent', 'vw.task.h1', ({ payload, attempt }) => {
          if (payload['n'] !== 0) return ack;
          at.push(performance.now());
          return attempt < 3 ? { kind: 'retry', afterMs: 100 } : ack;
        });
        for (let n = 0; n < 3; n++) await bus.publish('vw.task.h1', { n });
        await expect.poll(consumer.numbers).toEqual([0, 1, 2, 0, 0]);
        expect(consumer.deliveries.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 2, 3]);
        expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(95);
      });

      it('hands out retries in the order of their times, not of their verdicts', async () => {
        const bus = await open();
        const consumer = collect(bus, 'agent', 'vw.task.h1', ({ payload, attempt }) =>
          attempt === 1 ? { kind: 'retry', afterMs: [200, 400, 50][Number(payload['n'])]! } : ack,
        );
        for (let n = 0; n < 3; n++) await bus.publish('vw.task.h1', { n });
        await expect.poll(consumer.numbers, { timeout: 10_000 }).toEqual([0, 1, 2, 2, 0, 1]);
      });

      it('takes a throwing handler for a retry, and goes on', async () => {
        const bus = await open();
        const consumer = collect(bus, 'agent', 'vw.task.h1', ({ payload, attempt }) => {
          if (payload['n'] === 0 && attempt === 1) throw new Error('planted');
          return ack;
        });
        await bus.publish('vw.task.h1', { n: 0 });
        await bus.publish('vw.task.h1', { n: 1 });
        await expect.poll(consumer.numbers, { timeout: 10_000 }).toEqual([0, 1, 0]);
      });

      it('stops promptly on abort: the running handler finishes, its verdict counts, the rest waits for the next consumer', async () => {
        const bus = await open();
        let release = () => {};
        const held = new Promise<void>((resolve) => (release = resolve));
        const first = collect(bus, 'agent', 'vw.task.h1', () => held.then(() => ack));
        await bus.publish('vw.task.h1', { n: 0 });
        await bus.publish('vw.task.h1', { n: 1 });
        await expect.poll(first.numbers).toEqual([0]);
        let ended = false;
        const stopped = first.stop().then(() => (ended = true));
        await new Promise((resolve) => setImmediate(resolve));
        expect(ended).toBe(false);
        release();
        await stopped;
        expect(first.numbers()).toEqual([0]);
        const second = collect(bus, 'agent', 'vw.task.h1');
        await expect.poll(second.numbers).toEqual([1]);
      });

      it('an idle consumer ends as soon as it is aborted', async () => {
        const bus = await open();
        const consumer = collect(bus, 'agent', 'vw.task.h1', () => ({ kind: 'retry', afterMs: 60_000 }));
        await bus.publish('vw.task.h1', { n: 0 });
        await expect.poll(consumer.numbers).toEqual([0]);
        const before = performance.now();
        await consumer.stop();
        expect(performance.now() - before).toBeLessThan(2_000);
      });

      it('shares one durable name between its consumers', async () => {
        const bus = await open();
        const slowly = async () => {
          await new Promise((resolve) => setTimeout(resolve, 5));
          return ack;
        };
        const one = collect(bus, 'intake', 'vw.evidence.*', slowly);
        const other = collect(bus, 'intake', 'vw.evidence.*', slowly);
        for (let n = 0; n < 20; n++) await bus.publish('vw.evidence.h1', { n });
        const both = () => [...one.numbers(), ...other.numbers()].toSorted((a, b) => Number(a) - Number(b));
        await expect.poll(both).toEqual(Array.from({ length: 20 }, (_, n) => n));
        expect(one.deliveries.length).toBeGreaterThan(0);
        expect(other.deliveries.length).toBeGreaterThan(0);
        await one.stop();
        await bus.publish('vw.evidence.h1', { n: 20 });
        await expect.poll(() => other.numbers().at(-1)).toBe(20);
      });

      it('keeps what is not acknowledged over a restart, and nothing else', async () => {
        const where = await place();
        const before = await openAt(where);
        const consumer = collect(before, 'agent', 'vw.task.h1', ({ payload }) =>
          payload['n'] === 1 ? { kind: 'retry', afterMs: 60_000 } : ack,
        );
        for (let n = 0; n < 3; n++) await before.publish('vw.task.h1', { n }, { messageId: `m${n}` });
        await expect.poll(consumer.numbers).toEqual([0, 1, 2]);
        await before.close();

        const after = await openAt(where);
        await after.publish('vw.task.h1', { n: 2 }, { messageId: 'm2' });
        await after.publish('vw.task.h1', { n: 3 });
        const again = collect(after, 'agent', 'vw.task.h1');
        await expect.poll(again.numbers).toEqual([1, 3]);
        expect(again.deliveries[0]?.attempt).toBe(2);
      });

      it('keeps every message whose publish resolved when the publisher is killed', async () => {
        const where = await place();
        const program = runProgram(where.publisher.file, ...where.publisher.args);
        cleanups.push(() => program.kill());
        await program.printed(200);
        await program.kill();
        const acknowledged = program.lines.filter((line) => /^\d+$/.test(line)).map(Number);
        const bus = await openAt(where);
        const consumer = collect(bus, 'agent', 'vw.task.killed');
        await expect.poll(() => consumer.numbers().length).toBeGreaterThanOrEqual(acknowledged.length);
        expect(consumer.numbers().slice(0, acknowledged.length)).toEqual(acknowledged);
      });
    });

    describe('requests', () => {
      it('gives the one answer of a queue group, by turns', async () => {
        const bus = await open();
        const { signal } = new AbortController();
        const served = [0, 0];
        for (const worker of [0, 1]) {
          bus.respond(
            'vw.command.*',
            'ledger',
            async ({ subject, payload }) => {
              served[worker]! += 1;
              return { subject, echo: payload['n'] };
            },
            signal,
          );
        }
        for (let n = 0; n < 40; n++) {
          expect(await bus.request('vw.command.deploy', { n }, 5_000)).toEqual({
            subject: 'vw.command.deploy',
            echo: n,
          });
        }
        expect(served[0]! + served[1]!).toBe(40);
        expect(Math.min(...served)).toBeGreaterThan(0);
      });

      it('times out when nobody listens, when the answer is late, when the handler throws and when it has left', async () => {
        const bus = await open();
        const stay = new AbortController();
        const leave = new AbortController();
        cleanups.push(async () => stay.abort());
        bus.respond(
          'vw.command.slow',
          'ledger',
          () => new Promise((resolve) => setTimeout(resolve, 150, { late: true })),
          stay.signal,
        );
        bus.respond('vw.command.broken', 'ledger', () => Promise.reject(new Error('planted')), stay.signal);
        bus.respond('vw.command.left', 'ledger', async () => ({}), leave.signal);
        leave.abort();
        for (const verb of ['nobody', 'slow', 'broken', 'left']) {
          const asked = bus.request(`vw.command.${verb}`, {}, 50);
          await expect(asked, verb).rejects.toMatchObject({
            name: BusTimeout.name,
            subject: `vw.command.${verb}`,
            timeoutMs: 50,
          });
        }
        bus.respond('vw.command.nobody', 'ledger', async () => ({ alive: true }), stay.signal);
        expect(await bus.request('vw.command.nobody', {}, 5_000)).toEqual({ alive: true });
      });
    });

    describe('subscriptions', () => {
      it('match whole tokens: `*` one, `>` the rest', async () => {
        const bus = await open();
        const seen: Record<string, string[]> = {};
        const patterns = [
          'vw.event.workspace.w1.WorkspaceStarted',
          'vw.event.*.w1.*',
          'vw.event.workspace.>',
          'vw.>',
          'vw.*',
          '>',
        ];
        for (const pattern of patterns) {
          const list = (seen[pattern] = [] as string[]);
          bus.subscribe(pattern, ({ subject }) => list.push(subject), new AbortController().signal);
        }
        const subjects = [
          'vw.event.workspace.w1.WorkspaceStarted',
          'vw.event.workspace.w12.WorkspaceStarted',
          'vw.event.workspace',
          'vw.event',
        ];
        for (const subject of subjects) await bus.publish(subject, {});
        await expect.poll(() => seen['>']).toEqual(subjects);
        expect(seen).toEqual({
          'vw.event.workspace.w1.WorkspaceStarted': subjects.slice(0, 1),
          'vw.event.*.w1.*': subjects.slice(0, 1),
          'vw.event.workspace.>': subjects.slice(0, 2),
          'vw.>': subjects,
          'vw.*': subjects.slice(3),
          '>': subjects,
        });
      });

      it('see nothing from before, nothing after the abort, and survive a neighbour that throws or rejects', async () => {
        const bus = await open();
        const stopping = new AbortController();
        const seen: unknown[] = [];
        const witness: unknown[] = [];
        const forEver = new AbortController().signal;
        await bus.publish('vw.heartbeat.h1', { n: 0 });
        bus.subscribe('vw.heartbeat.*', () => raise(), forEver);
        bus.subscribe('vw.heartbeat.*', async () => raise(), forEver);
        bus.subscribe('vw.heartbeat.*', ({ payload }) => seen.push(payload['n']), stopping.signal);
        bus.subscribe('vw.heartbeat.*', ({ payload }) => witness.push(payload['n']), forEver);
        await bus.publish('vw.heartbeat.h1', { n: 1 });
        await expect.poll(() => seen).toEqual([1]);
        stopping.abort();
        await bus.publish('vw.heartbeat.h1', { n: 2 });
        await expect.poll(() => witness).toEqual([1, 2]);
        expect(seen).toEqual([1]);
      });
    });

    it('gives every receiver a copy of its own', async () => {
      const bus = await open();
      const payload = { inner: { n: 1 } };
      const seen: Payload[] = [];
      for (let receiver = 0; receiver < 2; receiver++) {
        bus.subscribe(
          'vw.task.h1',
          ({ payload }) => {
            seen.push(structuredClone(payload));
            (payload as { inner: { n: number } }).inner.n = 99;
          },
          new AbortController().signal,
        );
      }
      const consumer = collect(bus, 'agent', 'vw.task.h1');
      const published = bus.publish('vw.task.h1', payload);
      payload.inner.n = 2;
      await published;
      await expect
        .poll(() => [...seen, ...consumer.deliveries.map((delivery) => delivery.payload)])
        .toEqual(Array.from({ length: 3 }, () => ({ inner: { n: 1 } })));
    });

    it('refuses bad subjects, patterns, payloads and consumers, and says why', async () => {
      const bus = await open();
      const { signal } = new AbortController();
      const refused = (reason: BusRefused['reason']) => expect.objectContaining({ name: BusRefused.name, reason });
      for (const subject of [
        '',
        'vw..x',
        'vw.task.',
        '.vw',
        'vw.task.*',
        'vw.>',
        'vw.a b',
        'vw.é',
        `vw.${'x'.repeat(300)}`,
        'vw.a\n',
      ]) {
        await expect(bus.publish(subject, {}), subject).rejects.toEqual(refused('BAD_SUBJECT'));
        await expect(bus.request(subject, {}, 10), subject).rejects.toEqual(refused('BAD_SUBJECT'));
      }
      for (const pattern of ['', 'vw.>.x', 'vw.t*', 'vw..*']) {
        expect(() => bus.subscribe(pattern, () => undefined, signal), pattern).toThrow(refused('BAD_SUBJECT'));
        expect(() => bus.respond(pattern, 'g', async () => ({}), signal), pattern).toThrow(refused('BAD_SUBJECT'));
      }
      const cyclic: Record<string, unknown> = {};
      cyclic['self'] = cyclic;
      for (const payload of [cyclic, { big: 1n }, [], 'text', null, undefined]) {
        await expect(bus.publish('vw.task.h1', payload as Payload)).rejects.toEqual(refused('BAD_PAYLOAD'));
      }
      await expect(bus.publish('vw.task.h1', { text: 'é'.repeat(530_000) })).rejects.toEqual(
        refused('PAYLOAD_TOO_LARGE'),
      );
      await expect(bus.publish('vw.task.h1', {}, { messageId: '' })).rejects.toEqual(refused('BAD_MESSAGE_ID'));
      await expect(bus.consume('feed', 'vw.heartbeat.h1', async () => ack, signal)).rejects.toEqual(
        refused('NOT_DURABLE'),
      );
      collect(bus, 'agent', 'vw.task.h1');
      await expect(bus.consume('thief', 'vw.task.*', async () => ack, signal)).rejects.toEqual(
        refused('SUBJECT_TAKEN'),
      );
      await expect(bus.consume('agent', 'vw.task.h2', async () => ack, signal)).rejects.toEqual(
        refused('SUBJECT_TAKEN'),
      );
    });

    it('closing waits for running handlers, which may still publish, and refuses what comes after', async () => {
      const where = await place();
      const bus = await openAt(where);
      let release = () => {};
      const held = new Promise<void>((resolve) => (release = resolve));
      const consumer = collect(bus, 'agent', 'vw.task.h1', async () => {
        await held;
        await bus.publish('vw.evidence.h1', { n: 7 });
        return ack;
      });
      await bus.publish('vw.task.h1', { n: 0 });
      await bus.publish('vw.task.h1', { n: 1 });
      await expect.poll(consumer.numbers).toEqual([0]);
      const closing = bus.close();
      release();
      await closing;
      await bus.close();
      await expect(bus.publish('vw.task.h1', {})).rejects.toBeInstanceOf(BusUnavailable);
      await expect(bus.request('vw.command.deploy', {}, 10)).rejects.toBeInstanceOf(BusUnavailable);
      await expect(
        bus.consume('agent', 'vw.task.h1', async () => ack, new AbortController().signal),
      ).rejects.toBeInstanceOf(BusUnavailable);

      const after = await openAt(where);
      await expect.poll(collect(after, 'intake', 'vw.evidence.*').numbers).toEqual([7]);
      await expect.poll(collect(after, 'agent', 'vw.task.h1').numbers).toEqual([1]);
    });
  });
}

function raise(): never {
  throw new Error('planted');
}
