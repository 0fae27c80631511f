/** Every view there is, and the events it folds. A new one is a fold, a table, and two lines here. */
import { unreachable } from '@vw/domain';
import type { KnownEvent } from './decode.js';
import { commandsView } from './read-models/commands.js';
import { historyView } from './read-models/history.js';
import { hostsView } from './read-models/hosts.js';
import { imagesView } from './read-models/images.js';
import { operationsView } from './read-models/operations.js';
import { workspacesView } from './read-models/workspaces.js';
import type { Db, ReadModel, View } from './view.js';

export const registry = {
  workspaces: workspacesView,
  operations: operationsView,
  hosts: hostsView,
  images: imagesView,
  history: historyView,
  commands: commandsView,
} satisfies Record<string, View<ReadModel>>;

export type ReadModels = { readonly [Name in keyof typeof registry]: ReturnType<(typeof registry)[Name]['open']> };

export const everyView: readonly (readonly [name: string, view: View<ReadModel>])[] = Object.entries(registry);

export function openReadModels(db: Db, cachedStates: number): ReadModels {
  return Object.fromEntries(
    everyView.map(([name, view]) => [name, view.open(db, cachedStates)]),
  ) as unknown as ReadModels;
}

/** Takes the event into the memory of each view that it concerns. By name and not in a loop, for a replay does little else. */
export function foldInto(models: ReadModels, event: KnownEvent): void {
  switch (event.category) {
    case 'workspace':
      models.workspaces.fold(event);
      models.operations.fold(event);
      break;
    case 'host':
      models.hosts.fold(event);
      break;
    case 'image':
      models.images.fold(event);
      break;
    default:
      return unreachable(event);
  }
  models.history.fold(event);
  models.commands.fold(event);
}
