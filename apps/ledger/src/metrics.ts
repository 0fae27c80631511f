/** What the ledger counts about itself, in the Prometheus text format. Gauges are read when they are asked for. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { IntakeCount } from './intake/intake.js';

export class Metrics {
  private readonly registry = new Registry();

  private readonly evidence = new Counter({
    name: 'vw_evidence_total',
    help: 'Host evidence by what became of it',
    labelNames: ['result'],
    registers: [this.registry],
  });

  private readonly commands = new Counter({
    name: 'vw_commands_total',
    help: 'Commands by verb and outcome; refused ones by reason',
    labelNames: ['verb', 'outcome', 'reason'],
    registers: [this.registry],
  });

  private readonly commandSeconds = new Histogram({
    name: 'vw_command_seconds',
    help: 'From a command’s arrival to its durable answer',
    labelNames: ['verb'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers: [this.registry],
  });

  countEvidence(result: IntakeCount): void {
    this.evidence.inc({ result });
  }

  countCommand(verb: string, outcome: string, reason: string, seconds: number): void {
    this.commands.inc({ verb, outcome, reason });
    this.commandSeconds.observe({ verb }, seconds);
  }

  /** A number that is looked up whenever somebody asks. */
  watch(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(read()) });
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }
}
