/** What a description calls its image, in the words of this repository. */
import type { WorkspaceDescription } from '@vw/domain';

/**
 * The name under which the repository may have the root disk's image: `image:NAME`, or for a location that another site wrote (a path, a URI) the last
 * segment of its path. Undefined where the description names none, or nothing that could be a name here.
 */
export function imageNameOf(description: WorkspaceDescription): string | undefined {
  const location = description.disks.find((disk) => disk.role === 'root')?.location;
  if (location === undefined) return undefined;
  const segment =
    location
      .replace(/^image:/, '')
      .split('/')
      .at(-1) ?? '';
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(segment) ? segment : undefined;
}
