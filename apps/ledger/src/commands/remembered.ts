/**
 * Workspaces as they were last read. A log only grows, so what was read once stays true of the stream's beginning: a reader takes it from here and reads
 * only what came since. Nothing is ever decided on it alone.
 */
import { evolve, type Recorded, unborn, type WorkspaceEvent, type WorkspaceId, type WorkspaceState } from '@vw/domain';

export interface LoadedWorkspace {
  readonly state: WorkspaceState;
  readonly history: readonly Recorded<WorkspaceEvent>[];
}

/** About 1 KiB each in memory. The workspace whose news came longest ago is forgotten first. */
const mostEventsKept = 20_000;

const unread: LoadedWorkspace = { state: unborn, history: [] };

export class RememberedWorkspaces {
  /** The one with the latest news comes last. */
  private readonly workspaces = new Map<WorkspaceId, LoadedWorkspace>();
  private events = 0;

  constructor(private readonly mostEvents = mostEventsKept) {}

  /** The workspace up to the last revision that was read; unborn where it is not remembered. */
  recall(id: WorkspaceId): LoadedWorkspace {
    return this.workspaces.get(id) ?? unread;
  }

  /** The workspace as it is with what came after it, remembered so. Of two readers at once the slower one may be remembered: it knows less, and nothing wrong. */
  extend(id: WorkspaceId, known: LoadedWorkspace, news: readonly Recorded<WorkspaceEvent>[]): LoadedWorkspace {
    if (news.length === 0) return known;
    const state = news.reduce((before, recorded) => evolve(before, recorded), known.state);
    const loaded = { state, history: [...known.history, ...news] };
    this.keep(id, loaded);
    return loaded;
  }

  private keep(id: WorkspaceId, loaded: LoadedWorkspace): void {
    this.events += loaded.history.length - this.recall(id).history.length;
    this.workspaces.delete(id);
    this.workspaces.set(id, loaded);
    for (const [oldest, { history }] of this.workspaces) {
      if (this.events <= this.mostEvents) return;
      this.workspaces.delete(oldest);
      this.events -= history.length;
    }
  }
}
