/**
 * Ports of a process that can die between any two of its steps. Once dead, no call comes through and none returns, so the agent stands where it
 * was for ever: what a `kill -9` leaves, without the process.
 */

/**
 * `before`: the call never reaches the port. `after`: it did, and nobody lived to hear its result. A call that only looks leaves the
 * same whether its answer was heard or not, so `after` passes it by.
 */
export interface Death {
  readonly call: number;
  readonly when: 'before' | 'after';
}

const never = (): Promise<never> => new Promise<never>(() => undefined);

const LOOKS = new Set(['hypervisor.observe', 'hypervisor.adopt']);

export class Life {
  /** The names of the calls so far. */
  readonly calls: string[] = [];
  readonly over = new AbortController();

  constructor(
    private readonly death: Death | undefined,
    private readonly onDeath: () => void,
  ) {}

  get isOver(): boolean {
    return this.over.signal.aborted;
  }

  end(): void {
    if (this.isOver) return;
    this.over.abort();
    this.onDeath();
  }

  /** The port, as long as this life lasts. `counted` methods are those at which it can end. */
  share<T extends object>(name: string, port: T, counted: readonly (keyof T)[]): T {
    return new Proxy(port, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...args: unknown[]) => unknown;
        if (!counted.includes(key as keyof T)) return (...args: unknown[]) => this.#guarded(method, args);
        return (...args: unknown[]) => this.#counted(`${name}.${String(key)}`, method, args);
      },
    });
  }

  #counted(name: string, method: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    const { when } = this.death ?? {};
    if (when === 'after' && LOOKS.has(name)) return this.#guarded(method, args);
    if (!this.isOver) this.calls.push(name);
    const isLast = this.calls.length === this.death?.call;
    if (isLast && when === 'before') this.end();
    const result = this.#guarded(method, args);
    if (!isLast || this.isOver) return result;
    return Promise.resolve(result).then(
      () => (this.end(), never()),
      () => (this.end(), never()),
    );
  }

  #guarded(method: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    if (this.isOver) return never();
    const result = method(...args);
    if (!(result instanceof Promise)) return result;
    return result.then(
      (value: unknown) => (this.isOver ? never() : value),
      (error: unknown) => (this.isOver ? never() : Promise.reject(error)),
    );
  }
}
